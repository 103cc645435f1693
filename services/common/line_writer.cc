#include "services/common/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kCutMark = "... (cut)\n";

uint64_t CountLines(absl::string_view lines) {
  return static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

bool IsWritable(int fd) {
  pollfd item{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&item, 1, 0) == 1;  // an error, too: the write reports it
}

}  // namespace

LineWriter::LineWriter(int fd, Notice notice) : fd_(fd), notice_(std::move(notice)) {
  struct stat status;
  if (fstat(fd, &status) != 0) return;  // it is closed, and each write will fail
  is_socket_ = S_ISSOCK(status.st_mode);
  // Not a file: a new description would begin at the file's start. Other devices do not wait.
  if (!S_ISFIFO(status.st_mode) && isatty(fd) != 1) return;
  own_ = Fd(open(absl::StrCat("/proc/self/fd/", fd).c_str(),
                 O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  may_wait_ = !own_.valid();
}

void LineWriter::Write(absl::string_view lines) {
  if (dropped_ == 0 || WriteLines(notice_(dropped_)).empty()) {
    dropped_ = 0;
    lines = WriteLines(lines);
  }
  const auto dropped = static_cast<uint64_t>(CountLines(lines));
  dropped_ += dropped;
  dropped_total_.fetch_add(dropped, std::memory_order_relaxed);
}

absl::string_view LineWriter::WriteLines(absl::string_view lines) {
  std::string cut;
  while (!lines.empty()) {
    // As many whole lines as one write takes, or a part of one.
    absl::string_view piece = lines.substr(0, lines.rfind('\n', kLineBytesMax - 1) + 1);
    size_t taken = piece.size();
    if (piece.empty()) {
      taken = std::min(lines.find('\n'), lines.size() - 1) + 1;
      cut = absl::StrCat(lines.substr(0, kLineBytesMax - kCutMark.size()), kCutMark);
      piece = cut;
    }
    if (is_torn_ && WriteSome("\n") <= 0) return lines;
    is_torn_ = false;
    const ssize_t count = WriteSome(piece);
    if (count < static_cast<ssize_t>(piece.size())) {
      if (count <= 0) return lines;
      const size_t whole = piece.substr(0, static_cast<size_t>(count)).rfind('\n') + 1;
      is_torn_ = whole < static_cast<size_t>(count);
      return lines.substr(whole);
    }
    lines.remove_prefix(taken);
  }
  return lines;
}

ssize_t LineWriter::WriteSome(absl::string_view text) const {
  if (is_socket_) return send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (!may_wait_) return write(own_.valid() ? own_.get() : fd_, text.data(), text.size());
  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  const ssize_t count = pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
  if (count >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return count;
  if (!IsWritable(fd_)) return -1;
  return write(fd_, text.data(), text.size());
}

}  // namespace groupcast::service
