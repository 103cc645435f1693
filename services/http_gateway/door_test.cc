#include "services/http_gateway/door.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/groups/member.h"

namespace groupcast::service {
namespace {

using testing::HasSubstr;

class DoorTest : public testing::Test {
 protected:
  // The key gck_test is one of the service.
  DoorTest() {
    const absl::StatusOr<ConfigurationFile> file = ConfigurationFile::Parse("f", R"({"api_keys": [
        {"name": "app", "scopes": ["publish"], "hash":
         "sha256:a952235f2d9306d108fcdb8f9abac0cc2218bc49092d175b774cb52669b37854"}]})");
    EXPECT_TRUE(file.ok()) << file.status();
    absl::StatusOr<ApiKeys> keys = ApiKeys::Read(*file);
    EXPECT_TRUE(keys.ok()) << keys.status();
    keys_ = *std::move(keys);
    absl::StatusOr<OriginPolicy> origins =
        OriginPolicy::Create({.allowed_origins = {"--allowed_origins", "https://app.example"},
                              .allowed_hosts = {"--allowed_hosts", ""},
                              .is_loopback = true});
    EXPECT_TRUE(origins.ok()) << origins.status();
    origins_ = *std::move(origins);
  }

  // The status of the refusal. 0: the request may go on.
  int Read(absl::string_view target, absl::string_view fields = "",
           absl::string_view host = "localhost") {
    RequestParser request({});
    EXPECT_EQ(request.Read(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\n", fields,
                                        "\r\n")),
              RequestParser::Result::kRequest);
    head_ = Head();
    const std::optional<Problem> problem = ReadHead(request,
                                                    {.origins = &origins_,
                                                     .api_keys = &keys_,
                                                     .needs_credentials = needs_,
                                                     .knows_tokens = knows_,
                                                     .anyone_manages = anyone_manages_},
                                                    &head_);
    detail_ = problem.has_value() ? problem->detail : "";
    return problem.has_value() ? problem->status : 0;
  }

  static constexpr char kTarget[] = "/v1/groups/g/messages";
  ApiKeys keys_;
  OriginPolicy origins_;
  bool needs_ = false;
  bool knows_ = false;
  bool anyone_manages_ = false;
  Head head_;
  std::string detail_;
};

TEST_F(DoorTest, LetsInWhoNeedsNothing) {
  EXPECT_EQ(Read(kTarget), 0);
  EXPECT_EQ(head_.route.id, "g");
  EXPECT_EQ(head_.credentials, "");
  EXPECT_EQ(Read("/nothing"), 404);
}

TEST_F(DoorTest, ChecksTheHostAndThePage) {
  EXPECT_EQ(Read(kTarget, "", "evil.example"), 403);
  EXPECT_THAT(detail_, HasSubstr("--allowed_hosts"));
  EXPECT_EQ(Read(kTarget, "", "a b"), 400);
  EXPECT_EQ(Read(kTarget, "Origin: https://app.example\r\n"), 0);
  EXPECT_EQ(head_.origin, "https://app.example");
  EXPECT_EQ(Read(kTarget, "Origin: https://evil.example\r\n"), 403);
  EXPECT_EQ(head_.origin, "") << "the page may not even read why";
  EXPECT_EQ(Read(kTarget, "Origin: null\r\nOrigin: null\r\n"), 400);
}

// RFC 9112 section 3.2.2: the host of the target is the request's.
TEST_F(DoorTest, TheHostOfTheTargetCounts) {
  EXPECT_EQ(Read("http://localhost:8080/v1/groups/g/messages?limit=1", "", "evil.example"), 0);
  EXPECT_EQ(head_.route.id, "g");
  EXPECT_EQ(head_.route.Parameter("limit"), "1");
  EXPECT_EQ(Read("http://evil.example/v1/groups/g/messages"), 403);
  EXPECT_EQ(Read("http://localhost@evil.example/v1/groups/g/messages"), 400);
}

TEST_F(DoorTest, AsksForCredentialsWhereTheServiceNeedsThem) {
  needs_ = true;
  EXPECT_EQ(Read(kTarget), 401);
  EXPECT_EQ(Read("/readyz"), 0) << "a load balancer has none";
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer gck_test\r\n"), 0);
  EXPECT_EQ(head_.credentials, "gck_test");
  EXPECT_EQ(Read(kTarget, "Authorization: bearer  gck_test \r\n"), 0);
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer gck_other\r\n"), 401);
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer a.b.c\r\n"), 401) << "it has no keys for tokens";
  knows_ = true;
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer a.b.c\r\n"), 0) << "the groups check it";
  EXPECT_EQ(Read(absl::StrCat(kTarget, "?token=a.b.c")), 0);
  EXPECT_EQ(head_.credentials, "a.b.c");
}

TEST_F(DoorTest, RefusesUnclearCredentialsAlways) {
  EXPECT_EQ(Read(kTarget, "Authorization: Basic eDp5\r\n"), 401);
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n"), 401);
  EXPECT_EQ(Read(absl::StrCat(kTarget, "?token=a.b.c"), "Authorization: Bearer a.b.c\r\n"), 401);
  EXPECT_EQ(Read(absl::StrCat(kTarget, "?token=gck_test")), 401);
  EXPECT_THAT(detail_, HasSubstr("logs"));
  EXPECT_EQ(Read(kTarget, "Authorization: Bearer gck_other\r\n"), 401)
      << "a key that is none is a mistake, also where nobody needs one";
}

// A proxy on the same machine, or a page of another site, is how strangers reach the machine.
TEST_F(DoorTest, WhoManagesWithoutAKeyCallsDirectly) {
  constexpr char kGroups[] = "/v1/groups";
  const auto manages = [&](absl::string_view fields) {
    EXPECT_EQ(Read(kGroups, fields), 0) << fields;
    return head_.manages;
  };
  EXPECT_FALSE(manages(""));
  anyone_manages_ = true;
  EXPECT_TRUE(manages(""));
  for (const char* field :
       {"Forwarded: for=203.0.113.9", "Via: 1.1 proxy", "X-Forwarded-For: 203.0.113.9",
        "x-forwarded-for:", "X-Forwarded-Host: app.example", "X-Forwarded-Proto: https",
        "X-Real-IP: 203.0.113.9"}) {
    EXPECT_FALSE(manages(absl::StrCat(field, "\r\n"))) << field;
  }
  EXPECT_TRUE(manages("Sec-Fetch-Site: none\r\n")) << "a person has typed the address";
  EXPECT_TRUE(manages("Sec-Fetch-Site: same-origin\r\n")) << "the dashboard";
  EXPECT_FALSE(manages("Sec-Fetch-Site: cross-site\r\n"));
  EXPECT_FALSE(manages("Origin: null\r\n")) << "a sandboxed frame of any page";
  for (const char* target : {"/v1/services", "/v1/groups?order=busiest"}) {
    EXPECT_EQ(Read(target), 0);
    EXPECT_TRUE(head_.manages) << target;
  }
  EXPECT_EQ(Read(kTarget), 0);
  EXPECT_FALSE(head_.manages) << "nothing of this needs it";
}

// ---- Excluded sessions

std::variant<Fingerprint, Problem> Excluded(absl::string_view query, absl::string_view user = "",
                                            bool is_program = false) {
  Route route;
  Problem problem;
  EXPECT_TRUE(FindRoute("POST", absl::StrCat("/v1/messages?", query), &route, &problem));
  return ReadExcluded(route, user, is_program);
}

int StatusOf(const std::variant<Fingerprint, Problem>& excluded) {
  const auto* const problem = std::get_if<Problem>(&excluded);
  return problem == nullptr ? 0 : problem->status;
}

TEST(ExcludedTest, ASessionBelongsToItsUser) {
  const Fingerprint session = FingerprintOf({"s"});
  EXPECT_EQ(std::get<Fingerprint>(Excluded("")), Fingerprint());
  EXPECT_EQ(std::get<Fingerprint>(Excluded("exclude_session=s")), session);
  EXPECT_EQ(std::get<Fingerprint>(Excluded("exclude_session=s", "ana")),
            SessionOfUser("ana", session));
  EXPECT_EQ(std::get<Fingerprint>(Excluded("exclude_session=s&exclude_user=ana", "ana")),
            SessionOfUser("ana", session));
  EXPECT_EQ(StatusOf(Excluded("exclude_session=s&exclude_user=bob", "ana")), 403);
  EXPECT_EQ(StatusOf(Excluded("exclude_session=s&exclude_user=bob")), 403);
  EXPECT_EQ(std::get<Fingerprint>(Excluded("exclude_session=s&exclude_user=bob", "", true)),
            SessionOfUser("bob", session));
}

TEST(ExcludedTest, RefusesWhatIsNoSession) {
  for (const char* query : {"exclude_session=", "exclude_session=a%20b", "exclude_user=ana"}) {
    EXPECT_EQ(StatusOf(Excluded(query)), 400) << query;
  }
  EXPECT_TRUE(IsSession(std::string(64, 'a')));
  EXPECT_FALSE(IsSession(std::string(65, 'a')));
}

}  // namespace
}  // namespace groupcast::service
