#include "services/http_gateway/api_keys.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using testing::HasSubstr;

// Of the key gck_test, by sha256sum.
constexpr absl::string_view kHash =
    "sha256:a952235f2d9306d108fcdb8f9abac0cc2218bc49092d175b774cb52669b37854";

absl::StatusOr<ApiKeys> Read(absl::string_view keys) {
  const absl::StatusOr<ConfigurationFile> file =
      ConfigurationFile::Parse("f.json", absl::StrCat("{\"api_keys\": [", keys, "]}"));
  EXPECT_TRUE(file.ok()) << file.status();
  return ApiKeys::Read(*file);
}

std::string Key(absl::string_view more) {
  return absl::StrCat(R"({"name": "app", "hash": ")", kHash, R"(", )", more, "}");
}

std::string ErrorOf(absl::string_view keys) { return std::string(Read(keys).status().message()); }

TEST(ApiKeysTest, FindsAKeyByItsHash) {
  const absl::StatusOr<ApiKeys> keys = Read(Key(R"("scopes": ["publish"])"));
  ASSERT_TRUE(keys.ok()) << keys.status();
  const ApiKey* const key = keys->Find("gck_test");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->name, "app");
  EXPECT_EQ(keys->Find("gck_tesT"), nullptr);
  EXPECT_EQ(keys->Find(""), nullptr);
  EXPECT_EQ(keys->Find(kHash), nullptr) << "the hash is no key";
  EXPECT_TRUE(ApiKeys::LooksLikeKey("gck_test"));
  EXPECT_FALSE(ApiKeys::LooksLikeKey("eyJhbGciOiJIUzI1NiJ9.e30.x"));
}

TEST(ApiKeysTest, ScopesAreRightsForTheGroups) {
  const absl::StatusOr<ApiKeys> keys =
      Read(Key(R"("scopes": ["publish", "observe"], "groups": ["chat:*", "news"])"));
  ASSERT_TRUE(keys.ok()) << keys.status();
  const Grants& grants = keys->Find("gck_test")->grants;
  EXPECT_TRUE(grants.Of("chat:1").Has(Right::kSend));
  EXPECT_TRUE(grants.Of("chat:1").Has(Right::kObserve));
  EXPECT_FALSE(grants.Of("chat:1").Has(Right::kRead));
  EXPECT_FALSE(grants.Of("chat:1").Has(Right::kJoin));
  EXPECT_TRUE(grants.Of("news").Has(Right::kSend));
  EXPECT_FALSE(grants.Of("news2").Has(Right::kSend));

  const absl::StatusOr<ApiKeys> manager =
      Read(Key(R"("scopes": ["manage"], "groups": ["chat:*"])"));
  ASSERT_TRUE(manager.ok()) << manager.status();
  const Grants& managed = manager->Find("gck_test")->grants;
  EXPECT_TRUE(managed.Of("chat:1").Has(Right::kManage));
  EXPECT_TRUE(managed.Of("chat:1").Has(Right::kObserve));
  EXPECT_FALSE(managed.Of("chat:1").Has(Right::kSend));
  EXPECT_FALSE(managed.Of("chat:1").Has(Right::kRead));
  EXPECT_FALSE(managed.Of("news").Has(Right::kManage));

  const absl::StatusOr<ApiKeys> reader = Read(Key(R"("scopes": ["read"])"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const Rights rights = reader->Find("gck_test")->grants.Of("any group");
  EXPECT_TRUE(rights.Has(Right::kJoin));
  EXPECT_TRUE(rights.Has(Right::kRead));
  EXPECT_FALSE(rights.Has(Right::kSend));
}

TEST(ApiKeysTest, ErrorsNameTheFieldAndWhatIsAllowed) {
  EXPECT_THAT(ErrorOf(R"({"hash": "x", "scopes": ["read"]})"), HasSubstr("api_keys[0].name must"));
  EXPECT_THAT(ErrorOf(R"({"name": "a", "hash": "secret", "scopes": ["read"]})"),
              HasSubstr("api_keys[0].hash must be sha256: and 64 hexadecimal digits"));
  EXPECT_THAT(ErrorOf(Key(R"("scopes": [])")), HasSubstr("api_keys[0].scopes must name"));
  EXPECT_THAT(ErrorOf(Key(R"("scopes": ["read", "write"])")),
              HasSubstr("api_keys[0].scopes[1]=write must be publish, read, observe or manage"));
  const std::string key = Key(R"("scopes": ["read"])");
  EXPECT_THAT(ErrorOf(absl::StrCat(key, ", ", key)), HasSubstr("api_keys[1].name=app is the name"));
  EXPECT_THAT(ErrorOf(absl::StrCat(key, R"(, {"name": "b", "hash": ")", kHash,
                                   R"(", "scopes": ["read"]})")),
              HasSubstr("api_keys[1].hash is that of the key app"));
  EXPECT_EQ(ErrorOf(key).find("gck_"), std::string::npos);
}

}  // namespace
}  // namespace groupcast::service
