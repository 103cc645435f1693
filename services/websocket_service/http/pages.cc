#include "services/websocket_service/http/pages.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;

absl::string_view ContentType(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  for (const auto& [known, type] :
       {std::pair<absl::string_view, absl::string_view>{".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".txt", "text/plain; charset=utf-8"}}) {
    if (extension == known) return type;
  }
  return "application/octet-stream";
}

bool IsBelow(const fs::path& root, const fs::path& path) {
  const auto [root_end, at] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  static_cast<void>(at);
  return root_end == root.end();
}

std::optional<std::string> PercentDecode(absl::string_view encoded) {
  std::string text;
  while (!encoded.empty()) {
    if (encoded[0] != '%') {
      text.push_back(encoded[0]);
      encoded.remove_prefix(1);
      continue;
    }
    if (encoded.size() < 3 || !absl::ascii_isxdigit(encoded[1]) ||
        !absl::ascii_isxdigit(encoded[2])) {
      return std::nullopt;
    }
    text += absl::HexStringToBytes(encoded.substr(1, 2));
    encoded.remove_prefix(3);
  }
  return text;
}

}  // namespace

absl::StatusOr<Pages> Pages::Load(const std::string& directory) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error || !fs::is_directory(root)) {
    return absl::NotFoundError(absl::StrCat("pages: there is no directory ", directory));
  }
  Pages pages;
  size_t bytes = 0;
  for (fs::recursive_directory_iterator at(root, error), end; at != end; at.increment(error)) {
    if (error) return absl::UnknownError(absl::StrCat("pages: ", directory, ": ", error.message()));
    if (!at->is_regular_file(error)) continue;
    if (at->is_symlink(error) && !IsBelow(root, fs::canonical(at->path(), error))) {
      spdlog::warn("pages: {} leads out of {} and is not served", at->path().string(),
                   root.string());
      continue;
    }
    bytes += at->file_size(error);
    if (bytes > kBytesMax) {
      return absl::ResourceExhaustedError(absl::StrCat("pages: more than ", kBytesMax >> 20,
                                                       " MiB below ", directory,
                                                       "; is it the right one?"));
    }
    std::ifstream file(at->path(), std::ios::binary);
    if (!file) {
      spdlog::warn("pages: {} cannot be read and is not served", at->path().string());
      continue;
    }
    Page page{.content_type = ContentType(at->path()),
              .body = std::string(std::istreambuf_iterator<char>(file), {})};
    pages.pages_.emplace(absl::StrCat("/", fs::relative(at->path(), root, error).string()),
                         std::move(page));
  }
  return pages;
}

const Pages::Page* Pages::Find(absl::string_view path) const {
  std::optional<std::string> decoded = PercentDecode(path);
  if (!decoded.has_value()) return nullptr;
  if (absl::EndsWith(*decoded, "/")) *decoded += "index.html";
  const auto found = pages_.find(*decoded);
  return found == pages_.end() ? nullptr : &found->second;
}

}  // namespace groupcast::service
