#include "services/channel/zmq/curve.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Pair {
  std::string own;  // public
  std::string secret;
};

Pair NewPair() {
  std::array<char, 41> own{};
  std::array<char, 41> secret{};
  EXPECT_EQ(zmq_curve_keypair(own.data(), secret.data()), 0);
  return {own.data(), secret.data()};
}

// A new file with this content.
std::string FileWith(const std::string& content, int mode = 0600) {
  static int count = 0;
  const std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/", ++count, ".key");
  std::ofstream(path) << content;
  chmod(path.c_str(), static_cast<mode_t>(mode));
  return path;
}

std::string ServerError(const std::string& secret, const std::string& allowed) {
  const auto keys = ReadCurveServerKeys({"--secret", secret}, {"--allowed", allowed});
  return keys.ok() ? "" : std::string(keys.status().message());
}

TEST(CurveTest, TheKeysOfAServer) {
  const Pair server = NewPair();
  const Pair one = NewPair();
  const Pair two = NewPair();
  const auto keys = ReadCurveServerKeys(
      {"--secret", FileWith(server.secret + "\n")},
      {"--allowed", FileWith(absl::StrCat(one.own, " web-1\n\n", two.own, "\n"), 0644)});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->secret, server.secret);
  EXPECT_THAT(keys->allowed, ElementsAre(one.own, two.own));
}

TEST(CurveTest, TheKeysOfAWorker) {
  const Pair server = NewPair();
  const Pair own = NewPair();
  const auto keys = ReadCurveClientKeys({"--secret", FileWith(own.secret)},
                                        {"--server", FileWith(server.own + " server", 0644)});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->secret, own.secret);
  EXPECT_EQ(keys->own, own.own) << "it follows from the secret";
  EXPECT_EQ(keys->server, server.own);
}

TEST(CurveTest, AnErrorNamesTheSettingTheFileAndTheLine) {
  const Pair pair = NewPair();
  const std::string good = FileWith(pair.secret);
  const std::string open = FileWith(pair.secret, 0644);
  const std::string allowed = FileWith(pair.own);
  const std::string wrong = FileWith(absl::StrCat(pair.own, "\nnot a key\n"));
  EXPECT_EQ(ServerError(open, allowed),
            absl::StrCat("--secret: ", open,
                         " has a secret, and other users may access it; chmod 600 or 640 makes it "
                         "right"));
  EXPECT_EQ(ServerError(good, wrong),
            absl::StrCat("--allowed: ", wrong,
                         ":2 does not begin with a key of 40 characters in "
                         "Z85, as tools/curve_key makes it"));
  EXPECT_EQ(
      ServerError(FileWith(absl::StrCat(pair.secret, "\n", pair.secret)), allowed).substr(0, 9),
      "--secret:");
  EXPECT_THAT(ServerError(FileWith("\n"), allowed), HasSubstr("has no key"));
  EXPECT_THAT(ServerError(FileWith(std::string(40, '"')), allowed), HasSubstr("40 characters"));
  EXPECT_THAT(ServerError("/no/such/key", allowed),
              HasSubstr("--secret: reading /no/such/key: No such file"));
  EXPECT_EQ(ServerError(good, ""), "--secret: it needs --allowed beside it");
  EXPECT_EQ(ServerError("", allowed), "--allowed: it needs --secret beside it");
}

}  // namespace
}  // namespace groupcast::service
