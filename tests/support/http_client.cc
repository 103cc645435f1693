#include "tests/support/http_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

std::string HttpReply::Field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

HttpReply HttpClient::Get(absl::string_view target, const Fields& fields) {
  return Send("GET", target, fields);
}

HttpReply HttpClient::Post(absl::string_view target, absl::string_view body, const Fields& fields) {
  Fields all = fields;
  if (std::none_of(fields.begin(), fields.end(), [](const std::string& field) {
        return absl::StartsWithIgnoreCase(field, "content-type:");
      })) {
    all.push_back("Content-Type: application/json");
  }
  all.push_back(absl::StrCat("Content-Length: ", body.size()));
  return Send("POST", target, all, body);
}

HttpReply HttpClient::Send(absl::string_view method, absl::string_view target, const Fields& fields,
                           absl::string_view body) {
  std::string request = absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n");
  for (const std::string& field : fields) absl::StrAppend(&request, field, "\r\n");
  absl::StrAppend(&request, "\r\n", body);
  Write(request);
  return Read(method != "HEAD");
}

HttpReply HttpClient::ReadHead() {
  std::string& received = raw_.received();
  while (!absl::StrContains(received, "\r\n\r\n")) {
    if (!raw_.ReadMore(patience_) ||
        (raw_.state() != RawClient::State::kOpen && !absl::StrContains(received, "\r\n\r\n"))) {
      throw Failure(absl::StrCat("no answer, but: ", received));
    }
  }
  const size_t end = received.find("\r\n\r\n");
  const std::vector<std::string> lines = absl::StrSplit(received.substr(0, end), "\r\n");
  received.erase(0, end + 4);
  HttpReply reply;
  const std::vector<std::string> words = absl::StrSplit(lines[0], absl::MaxSplits(' ', 2));
  if (words.size() < 2 || words[0] != "HTTP/1.1" || !absl::SimpleAtoi(words[1], &reply.status)) {
    throw Failure(absl::StrCat("no status line: ", lines[0]));
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    reply.fields[absl::AsciiStrToLower(field.first)] =
        std::string(absl::StripAsciiWhitespace(field.second));
  }
  return reply;
}

HttpReply HttpClient::Read(bool has_body) {
  HttpReply reply = ReadHead();
  size_t length = 0;
  if (!has_body || !absl::SimpleAtoi(reply.Field("content-length"), &length)) return reply;
  while (raw_.received().size() < length) {
    if (!raw_.ReadMore(patience_) ||
        (raw_.state() != RawClient::State::kOpen && raw_.received().size() < length)) {
      throw Failure(absl::StrCat("a part of a body: ", raw_.received()));
    }
  }
  reply.body = raw_.received().substr(0, length);
  raw_.received().erase(0, length);
  return reply;
}

EventStream::EventStream(uint16_t port, absl::string_view target, const HttpClient::Fields& fields,
                         absl::Duration patience)
    : client_(port, patience) {
  std::string request = absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: localhost\r\n");
  for (const std::string& field : fields) absl::StrAppend(&request, field, "\r\n");
  client_.Write(absl::StrCat(request, "\r\n"));
  const HttpReply head = client_.ReadHead();
  if (head.status != 200 || head.Field("content-type") != "text/event-stream") {
    throw StreamRefused(head.status,
                        absl::StrCat("no stream: ", head.status, " ", client_.raw().received()));
  }
  heard_at_ = absl::Now();
}

StreamEvent EventStream::Next() {
  std::optional<StreamEvent> event = NextWithin(kPatience);
  if (!event.has_value()) throw Failure("no event");
  return *std::move(event);
}

std::optional<StreamEvent> EventStream::NextWithin(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  for (;;) {
    if (std::optional<StreamEvent> event = TakeEvent()) return event;
    if (client_.raw().state() != RawClient::State::kOpen) {
      throw Failure(absl::StrCat("no event, but: ", client_.raw().received()));
    }
    if (!client_.raw().ReadMore(deadline - absl::Now())) return std::nullopt;
    heard_at_ = absl::Now();
  }
}

std::optional<StreamEvent> EventStream::TakeEvent() {
  std::string& received = client_.raw().received();
  for (size_t end; (end = received.find("\n\n")) != std::string::npos;) {
    const std::string block = received.substr(0, end);
    received.erase(0, end + 2);
    StreamEvent event;
    bool has_data = false;
    for (const absl::string_view line : absl::StrSplit(block, '\n')) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (parts.first == "event") event.name = std::string(parts.second);
      if (parts.first == "id") id_ = std::string(parts.second);
      if (parts.first == "data") {
        event.data = std::string(parts.second);
        has_data = true;
      }
    }
    event.id = id_;
    if (has_data) return event;
  }
  return std::nullopt;
}

void EventStream::WaitForEnd() { client_.raw().ReadToEnd(); }

}  // namespace groupcast::tests
