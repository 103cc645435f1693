// The smallest client: two commands sent at once, without waiting for anything.

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

// A feed that is cold when the message is published: the worker has to subscribe first, on a link
// other than the one the message goes out on.
TEST(ThreeLinesTest, SeesItsOwnMessageInAGroupThatNobodyKnewOutOf1000EachTime) {
  Groupcast groupcast(/*workers=*/4);
  for (int i = 0; i < 1'000; ++i) {
    const std::string group = absl::StrCat("\"cold ", i, "\"");
    const std::string message = absl::StrCat("هذه هي الرسالة ", i);
    TestClient client(groupcast.service.port());
    client.Send(AddGroup(group));
    client.Send(SendToGroup(group, Quoted(message)));
    ASSERT_EQ(client.NextText(), message);
  }
}

// As a browser sends them that has both commands ready when the connection opens: in one segment,
// the group as a number.
TEST(ThreeLinesTest, SeesItsOwnMessageWhenBothCommandsComeInOneSegment) {
  Groupcast groupcast(/*workers=*/4);
  for (int i = 0; i < 100; ++i) {
    TestClient client(groupcast.service.port());
    client.raw().Write(TextFrame(AddGroup(absl::StrCat(i))) +
                       TextFrame(SendToGroup(absl::StrCat("\"", i, "\""), "\"one\"")));
    ASSERT_EQ(client.NextText(), "one");
    ASSERT_TRUE(client.IsQuiet());
  }
}

}  // namespace
}  // namespace groupcast::tests
