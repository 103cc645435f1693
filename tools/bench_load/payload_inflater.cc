#include "tools/bench_load/payload_inflater.h"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace groupcast::bench {

PayloadInflater::PayloadInflater() : stream_(std::make_unique<z_stream_s>()) {
  if (inflateInit2(stream_.get(), -15) != Z_OK) throw std::bad_alloc();
}

PayloadInflater::~PayloadInflater() { inflateEnd(stream_.get()); }

std::optional<std::string_view> PayloadInflater::Inflate(std::string_view payload) {
  if (has_last_ && payload == last_payload_) return text_;
  has_last_ = false;
  // RFC 7692, section 7.2.2: these bytes are not sent.
  constexpr std::string_view kTail("\0\0\xff\xff", 4);
  last_payload_.assign(payload);
  std::string whole(payload);
  whole.append(kTail);
  inflateReset(stream_.get());
  stream_->next_in = reinterpret_cast<Bytef*>(whole.data());
  stream_->avail_in = static_cast<uInt>(whole.size());
  text_.resize(std::max<size_t>(text_.size(), 4'096));
  size_t have = 0;
  for (;;) {
    stream_->next_out = reinterpret_cast<Bytef*>(text_.data() + have);
    stream_->avail_out = static_cast<uInt>(text_.size() - have);
    const int result = inflate(stream_.get(), Z_SYNC_FLUSH);
    have = text_.size() - stream_->avail_out;
    if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) return std::nullopt;
    if (stream_->avail_out > 0) break;
    text_.resize(2 * text_.size());
  }
  if (stream_->avail_in > 0) return std::nullopt;
  text_.resize(have);
  has_last_ = true;
  return text_;
}

}  // namespace groupcast::bench
