#include "services/http/pages.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

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
        {".mjs", "text/javascript; charset=utf-8"},  // Browsers take modules of no other type.
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

std::string TagOf(absl::string_view body) {
  return absl::StrCat(
      absl::Hex(std::hash<std::string_view>()({body.data(), body.size()}), absl::kZeroPad16));
}

bool IsBelow(const fs::path& root, const fs::path& path) {
  const auto [root_end, at] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  static_cast<void>(at);
  return root_end == root.end();
}

// Reads a directory into pages. Links are followed: a link inside the directory is a page under its
// own name, with the body of its target.
class Loader {
 public:
  explicit Loader(const fs::path& root) : root_(root) {}

  // `name` is the directory's own, as a path of a request. `directory` has no links in its path.
  absl::Status ReadDirectory(const fs::path& directory, const std::string& name) {
    open_directories_.push_back(directory);
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; at != end; at.increment(error)) {
      if (error) break;
      if (++entries_ > kEntriesMax) {
        return TooMuch(absl::StrCat("more than ", kEntriesMax, " files and directories"));
      }
      // They are the owner's, not for readers: .git, .env, .htpasswd. A link to one is served: a
      // person has given it a name (and mounted Kubernetes volumes consist of such links).
      const std::string entry = at->path().filename().string();
      if (absl::StartsWith(entry, ".")) continue;
      if (absl::Status read = ReadEntry(at->path(), absl::StrCat(name, entry)); !read.ok()) {
        return read;
      }
    }
    open_directories_.pop_back();
    if (error) return Skip(directory, absl::StrCat("cannot be read (", error.message(), ")"));
    return absl::OkStatus();
  }

  absl::flat_hash_map<std::string, Pages::Page> TakePages() { return std::move(pages_); }

 private:
  // Far more than a directory of pages has, and far less than links in circles can make.
  static constexpr int kEntriesMax = 100'000;

  absl::Status ReadEntry(const fs::path& path, const std::string& name) {
    std::error_code error;
    const fs::path target = fs::canonical(path, error);
    if (error) return Skip(path, "leads nowhere");
    if (!IsBelow(root_, target)) {
      return Skip(path, absl::StrCat("leads out of ", root_.string()));
    }
    if (fs::is_directory(target, error)) {
      const bool is_circle = std::find(open_directories_.begin(), open_directories_.end(),
                                       target) != open_directories_.end();
      if (is_circle) return Skip(path, "leads to a directory that it is in");
      return ReadDirectory(target, absl::StrCat(name, "/"));
    }
    if (!fs::is_regular_file(target, error)) return Skip(path, "is no file");
    SharedBytes& body = bodies_[target.string()];
    if (!body) {
      const uintmax_t size = fs::file_size(target, error);
      if (error || size > Pages::kBytesMax || (bytes_ += size) > Pages::kBytesMax) {
        return TooMuch(absl::StrCat("more than ", Pages::kBytesMax >> 20, " MiB"));
      }
      std::ifstream file(target, std::ios::binary);
      std::string bytes(size, '\0');
      file.read(bytes.data(), static_cast<std::streamsize>(size));
      if (!file) return Skip(path, "cannot be read");
      body = SharedBytes::Copy(bytes);
    }
    pages_[name] = {.content_type = ContentType(path), .body = body, .tag = TagOf(body.bytes())};
    return absl::OkStatus();
  }

  static absl::Status Skip(const fs::path& path, absl::string_view why) {
    spdlog::warn("pages: {} {} and is not served", path.string(), std::string(why));
    return absl::OkStatus();
  }

  absl::Status TooMuch(absl::string_view what) const {
    return absl::ResourceExhaustedError(
        absl::StrCat("pages: ", what, " below ", root_.string(), "; is it the right directory?"));
  }

  const fs::path root_;
  std::vector<fs::path> open_directories_;  // from the root to the one that is being read
  absl::flat_hash_map<std::string, SharedBytes> bodies_;  // by path without links
  absl::flat_hash_map<std::string, Pages::Page> pages_;
  int entries_ = 0;
  uintmax_t bytes_ = 0;
};

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
  Loader loader(root);
  if (absl::Status read = loader.ReadDirectory(root, "/"); !read.ok()) return read;
  Pages pages;
  pages.pages_ = loader.TakePages();
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
