#ifndef GROUPCAST_SERVICES_ACCESS_GRANTS_H_
#define GROUPCAST_SERVICES_ACCESS_GRANTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// An action on a group that a client needs permission for.
enum class Right : uint8_t {
  kJoin,     // add_group, with what was missed since the client's last position
  kSend,     // send_to_group
  kRead,     // group_history, and add_group with `history`
  kObserve,  // the members of the group: group_members, and add_group with `presence`
  kManage,   // to take members out of the group. Only programs with keys of their own have it
};
// Those that tokens and group rules know.
inline constexpr std::array kAllRights = {Right::kJoin, Right::kSend, Right::kRead,
                                          Right::kObserve};

// The right's name, as in tokens and in group rules.
absl::string_view RightName(Right right);

// A set of rights.
class Rights {
 public:
  constexpr Rights() = default;
  // All that a token may name.
  static constexpr Rights All() {
    Rights all;
    for (const Right right : kAllRights) all.Add(right);
    return all;
  }

  constexpr void Add(Right right) { bits_ |= Bit(right); }
  constexpr void Add(Rights rights) { bits_ |= rights.bits_; }
  constexpr bool Has(Right right) const { return (bits_ & Bit(right)) != 0; }
  friend bool operator==(const Rights&, const Rights&) = default;

 private:
  static constexpr uint8_t Bit(Right right) {
    return static_cast<uint8_t>(1u << static_cast<unsigned>(right));
  }
  uint8_t bits_ = 0;
};

// The rights that a token names, by groups.
class Grants {
 public:
  // `pattern` is a group id, or the beginning of group ids and a "*".
  void Add(absl::string_view pattern, Rights rights);

  // All rights that the patterns give for the group. It costs one step for each pattern; a token
  // bounds them.
  Rights Of(absl::string_view group_id) const;

  // Whether one of the patterns gives the right for all groups that begin with `prefix`.
  bool Cover(absl::string_view prefix, Right right) const;

  bool empty() const { return exact_.empty() && prefixes_.empty(); }

 private:
  std::vector<std::pair<std::string, Rights>> exact_;
  std::vector<std::pair<std::string, Rights>> prefixes_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_ACCESS_GRANTS_H_
