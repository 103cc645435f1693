#include "services/channel/nats/nats_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kEnd = "\r\n";

// The next word of a line. Empty: there is none.
absl::string_view TakeWord(absl::string_view* line) {
  *line = absl::StripLeadingAsciiWhitespace(*line);
  const size_t size = std::min(line->find_first_of(" \t"), line->size());
  const absl::string_view word = line->substr(0, size);
  line->remove_prefix(size);
  return word;
}

}  // namespace

std::optional<absl::string_view> NatsHeader(absl::string_view headers, absl::string_view name) {
  for (size_t at = headers.find(kEnd); at != absl::string_view::npos; at = headers.find(kEnd)) {
    headers.remove_prefix(at + kEnd.size());
    if (!absl::StartsWith(headers, name) || headers.size() <= name.size() ||
        headers[name.size()] != ':') {
      continue;
    }
    const absl::string_view rest = headers.substr(name.size() + 1);
    return absl::StripAsciiWhitespace(rest.substr(0, rest.find(kEnd)));
  }
  return std::nullopt;
}

int NatsStatus(absl::string_view headers) {
  constexpr absl::string_view kVersion = "NATS/1.0 ";
  int status = 0;
  if (!absl::ConsumePrefix(&headers, kVersion) || headers.size() < 3 ||
      !absl::SimpleAtoi(headers.substr(0, 3), &status)) {
    return 0;
  }
  return status;
}

absl::Span<char> NatsReader::Room() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kRoomBytes) buffer_.resize(end_ + kRoomBytes);
  return absl::MakeSpan(buffer_.data() + end_, buffer_.size() - end_);
}

NatsReader::Event NatsReader::Next() {
  while (!is_defect_) {
    const absl::string_view bytes = unread();
    const size_t size = bytes.find(kEnd, searched_);
    if (std::min(size, bytes.size()) > kLineBytesMax) return Defect("a line does not end");
    if (size == absl::string_view::npos) {
      searched_ = bytes.empty() ? 0 : bytes.size() - 1;
      return Event::kNeedMore;
    }
    // An unfinished message is read from its line again; the line is found at once.
    searched_ = size;
    const std::optional<Event> event = ReadLine(bytes.substr(0, size));
    if (event.has_value()) return *event;
  }
  return Event::kNeedMore;
}

std::optional<NatsReader::Event> NatsReader::ReadLine(absl::string_view line) {
  const size_t line_bytes = line.size() + kEnd.size();
  absl::string_view arguments = line;
  const absl::string_view operation = TakeWord(&arguments);
  const auto is = [operation](absl::string_view name) {
    return absl::EqualsIgnoreCase(operation, name);
  };
  if (is("MSG")) return BeginMessage(arguments, /*has_headers=*/false);
  if (is("HMSG")) return BeginMessage(arguments, /*has_headers=*/true);
  begin_ += line_bytes;
  searched_ = 0;
  text_ = absl::StripAsciiWhitespace(arguments);
  if (is("PING")) return Event::kPing;
  if (is("PONG")) return Event::kPong;
  if (is("INFO")) return Event::kInfo;
  if (is("-ERR")) {
    absl::ConsumePrefix(&text_, "'");
    absl::ConsumeSuffix(&text_, "'");
    return Event::kError;
  }
  if (is("+OK")) return std::nullopt;
  return Defect("an operation has no name that NATS knows");
}

NatsReader::Event NatsReader::BeginMessage(absl::string_view arguments, bool has_headers) {
  const size_t line_bytes = searched_ + kEnd.size();
  std::array<absl::string_view, 6> words;
  size_t count = 0;
  for (absl::string_view word = TakeWord(&arguments); !word.empty(); word = TakeWord(&arguments)) {
    if (count == words.size()) return Defect("a message has too many arguments");
    words[count++] = word;
  }
  // SUBJECT NUMBER [REPLY] [HEADER BYTES] BYTES
  const size_t least = has_headers ? 4 : 3;
  size_t header_bytes = 0;
  size_t bytes = 0;
  if (count < least || count > least + 1 || !absl::SimpleAtoi(words[1], &message_.subscription) ||
      !absl::SimpleAtoi(words[count - 1], &bytes) ||
      (has_headers && !absl::SimpleAtoi(words[count - 2], &header_bytes)) || header_bytes > bytes) {
    return Defect("a message has arguments that do not fit");
  }
  if (bytes > message_bytes_max_) return Defect("a message is over the bound");
  const absl::string_view whole = unread();
  if (whole.size() < line_bytes + bytes + kEnd.size()) return Event::kNeedMore;
  if (whole.substr(line_bytes + bytes, kEnd.size()) != kEnd) {
    return Defect("a message does not end where its length says");
  }
  message_.subject = words[0];
  message_.reply = count > least ? words[2] : absl::string_view();
  message_.headers = whole.substr(line_bytes, header_bytes);
  message_.data = whole.substr(line_bytes + header_bytes, bytes - header_bytes);
  begin_ += line_bytes + bytes + kEnd.size();
  searched_ = 0;
  return Event::kMessage;
}

NatsReader::Event NatsReader::Defect(absl::string_view why) {
  is_defect_ = true;
  text_ = why;
  return Event::kDefect;
}

}  // namespace groupcast::service
