#ifndef GROUPCAST_TOOLS_BENCH_LOAD_PAYLOAD_INFLATER_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_PAYLOAD_INFLATER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct z_stream_s;

namespace groupcast::bench {

// Inflates whole payloads of permessage-deflate, of connections whose server keeps no context. It
// remembers the last one: all members of a group get the same bytes one after the other, and a
// client that inflates each would cost more than the server. Not thread-safe.
class PayloadInflater {
 public:
  PayloadInflater();
  ~PayloadInflater();
  PayloadInflater(const PayloadInflater&) = delete;
  PayloadInflater& operator=(const PayloadInflater&) = delete;

  // The text, valid until the next call. Nothing: the payload is malformed.
  std::optional<std::string_view> Inflate(std::string_view payload);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::string last_payload_;
  std::string text_;
  bool has_last_ = false;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_PAYLOAD_INFLATER_H_
