// Commands from the wire: nothing may crash, and what counts as JSON is what a library says is
// JSON.

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>

#include "services/common/utf8.h"
#include "services/protocol/command.h"
#include "services/protocol/json.h"

// A position that was read must be the one that the library reads, and printed it must be what was
// written.
static void CheckSince(const std::string& text, const groupcast::service::Position& since) {
  boost::json::parse_options options;
  options.max_depth = groupcast::service::kJsonDepthMax - 1;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error, {}, options);
  if (error == boost::json::error::exponent_overflow) return;
  if (error || !value.is_object()) std::abort();
  const boost::json::object& field = value.as_object().at("since").as_object();
  if (field.at("offset").to_number<uint64_t>() != since.offset) std::abort();
  std::string epoch(field.at("epoch").as_string());
  for (char& c : epoch) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  if (epoch != groupcast::service::EpochText(since.epoch)) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using groupcast::service::JsonReader;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // The frame codec lets nothing else through.
  groupcast::service::Utf8Checker utf8;
  if (!utf8.Check(text) || !utf8.complete()) return 0;

  const auto result =
      groupcast::service::ParseCommand(text, {.message_bytes_max = 100, .group_ids_max = 4});
  if (const auto* command = std::get_if<groupcast::service::Command>(&result)) {
    if (command->message.size() > 100 || command->group_ids.size() > 4) std::abort();
    if (command->key.size() > 64 || command->history > 100) std::abort();
    if (command->since.has_value()) CheckSince(text, *command->since);
  }

  JsonReader reader(text);
  absl::string_view raw;
  const bool accepted = reader.ReadValue(&raw) && reader.ExpectEnd();
  boost::json::parse_options options;
  options.max_depth = groupcast::service::kJsonDepthMax - 1;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error, {}, options);
  if (accepted == !error) return 0;
  // The grammar allows it; the library has no number for it.
  if (error == boost::json::error::exponent_overflow) return 0;
  std::fprintf(stderr, "%s: library says %s\n", text.c_str(), error.message().c_str());
  std::abort();
}
