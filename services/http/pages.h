#ifndef GROUPCAST_SERVICES_HTTP_PAGES_H_
#define GROUPCAST_SERVICES_HTTP_PAGES_H_

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/shared_bytes.h"

namespace groupcast::service {

// The files below one directory. They are read once and served from memory. No request reads the
// disk. Only files that were read exist, so no request can name a file outside the directory.
//
//   a link inside the directory    is served under its own name
//   a link that leads out of it    is not read, and the log says so
//   a name that begins with a dot  is not read
//
// It is read-only after Load, except for the bodies' references. If Load comes before fork(2), the
// workers share its memory.
class Pages {
 public:
  struct Page {
    absl::string_view content_type;
    SharedBytes body;
    std::string tag;  // changes with the body: 16 hexadecimal digits
  };

  static constexpr size_t kBytesMax = 64u << 20;

  Pages() = default;

  // kNotFound: no such directory.
  // kResourceExhausted: the files have more bytes than kBytesMax, or there are too many. Most
  // likely the directory is wrong.
  static absl::StatusOr<Pages> Load(const std::string& directory);

  // `path` is the path of a request target, percent-encoded, without query. A path with a slash at
  // its end names the index.html of that directory. Null: no such page.
  const Page* Find(absl::string_view path) const;

  bool empty() const { return pages_.empty(); }

 private:
  absl::flat_hash_map<std::string, Page> pages_;  // by decoded path, with its leading slash
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_PAGES_H_
