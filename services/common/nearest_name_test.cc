#include "services/common/nearest_name.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

const std::vector<std::string>& Known() {
  static const auto* const known =
      new std::vector<std::string>{"bind_address", "outbox_bytes", "port", "workers"};
  return *known;
}

TEST(NearestNameTest, ANameThatLooksAlike) {
  EXPECT_EQ(NearestName("wrokers", Known()), "workers");
  EXPECT_EQ(NearestName("prt", Known()), "port");
  EXPECT_EQ(NearestName("outbox-byte", Known()), "outbox_bytes");
}

TEST(NearestNameTest, TheOnlyNameThatContainsIt) {
  EXPECT_EQ(NearestName("address", Known()), "bind_address");
  EXPECT_EQ(NearestName("o", {"one", "two"}), std::nullopt) << "both contain it";
}

TEST(NearestNameTest, NothingLooksAlike) {
  EXPECT_EQ(NearestName("colour", Known()), std::nullopt);
  EXPECT_EQ(NearestName("port", {}), std::nullopt);
  // A long name does not look like any other of its length.
  EXPECT_EQ(NearestName(std::string(1'000, 'x'), Known()), std::nullopt);
}

}  // namespace
}  // namespace groupcast::service
