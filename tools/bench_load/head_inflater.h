#ifndef GROUPCAST_TOOLS_BENCH_LOAD_HEAD_INFLATER_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_HEAD_INFLATER_H_

#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace groupcast::bench {

// Inflates the beginnings of payloads of permessage-deflate, which is enough to recognise a
// message. It remembers the last one: all members of a group get the same bytes one after the
// other, and a client that inflates each would cost more than the server. Not thread-safe.
class HeadInflater {
 public:
  HeadInflater();
  ~HeadInflater();
  HeadInflater(const HeadInflater&) = delete;
  HeadInflater& operator=(const HeadInflater&) = delete;

  // The beginning of the text. The view is valid until the next call.
  std::string_view Inflate(std::string_view head);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::string last_head_;
  std::string text_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_HEAD_INFLATER_H_
