#include "tools/bench_load/head_inflater.h"

#include <zlib.h>

#include <new>

#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {

HeadInflater::HeadInflater() : stream_(std::make_unique<z_stream_s>()) {
  if (inflateInit2(stream_.get(), -15) != Z_OK) throw std::bad_alloc();
}

HeadInflater::~HeadInflater() { inflateEnd(stream_.get()); }

std::string_view HeadInflater::Inflate(std::string_view head) {
  if (head == last_head_) return text_;
  last_head_ = head;
  text_.resize(FrameReader::kHeadBytes);
  inflateReset(stream_.get());
  stream_->next_in = reinterpret_cast<Bytef*>(last_head_.data());
  stream_->avail_in = static_cast<uInt>(last_head_.size());
  stream_->next_out = reinterpret_cast<Bytef*>(text_.data());
  stream_->avail_out = static_cast<uInt>(text_.size());
  inflate(stream_.get(), Z_SYNC_FLUSH);
  text_.resize(text_.size() - stream_->avail_out);
  return text_;
}

}  // namespace groupcast::bench
