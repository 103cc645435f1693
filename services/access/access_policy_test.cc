#include "services/access/access_policy.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

GroupAccess ForAll(Whom whom) {
  GroupAccess access;
  for (std::optional<Whom>& of_right : access.whom) of_right = whom;
  return access;
}

std::shared_ptr<const TokenVerifier> SomeKeys() {
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(std::string(32, 'k'), /*others_may_access=*/false).ok());
  return std::make_shared<const TokenVerifier>(std::move(keys), TokenOptions{});
}

Identity User(const std::string& name) {
  Identity identity;
  identity.token.emplace();
  identity.token->user = name;
  return identity;
}

AccessPolicy::Options WithRules() {
  std::vector<std::pair<std::string, GroupAccess>> rules = {
      {"open:", ForAll(Whom::kAnyone)},
      {"members:", ForAll(Whom::kAuthenticated)},
      {"listed:", ForAll(Whom::kGranted)},
      {"closed:", ForAll(Whom::kNobody)},
      {"user:", ForAll(Whom::kGranted)}};
  return {.rules = PrefixMap<GroupAccess>(std::move(rules))};
}

TEST(AccessPolicyTest, WithoutAuthenticationWhatNoRuleRestrictsIsForAnyone) {
  const AccessPolicy policy(WithRules());
  EXPECT_FALSE(policy.needs_token());
  for (const Right right : kAllRights) {
    EXPECT_TRUE(policy.Allows(nullptr, "chat", right));
    EXPECT_TRUE(policy.Allows(nullptr, "open:1", right));
    EXPECT_FALSE(policy.Allows(nullptr, "members:1", right));
    EXPECT_FALSE(policy.Allows(nullptr, "listed:1", right));
    EXPECT_FALSE(policy.Allows(nullptr, "closed:1", right));
  }
}

TEST(AccessPolicyTest, WithAuthenticationATokenMustNameTheGroup) {
  AccessPolicy::Options options = WithRules();
  options.tokens = SomeKeys();
  const AccessPolicy policy(std::move(options));
  EXPECT_TRUE(policy.needs_token());
  Identity alice = User("alice");
  alice.token->grants.Add("chat", Rights::All());
  alice.token->grants.Add("closed:1", Rights::All());
  for (const Right right : kAllRights) {
    EXPECT_TRUE(policy.Allows(&alice, "chat", right));
    EXPECT_FALSE(policy.Allows(&alice, "chat2", right));
    EXPECT_TRUE(policy.Allows(&alice, "open:1", right));
    EXPECT_TRUE(policy.Allows(&alice, "members:1", right));
    EXPECT_FALSE(policy.Allows(&alice, "closed:1", right));
    // Without a token it is not even for anyone.
    EXPECT_FALSE(policy.Allows(nullptr, "open:1", right));
  }
}

TEST(AccessPolicyTest, AnonymousConnectionsHaveWhatIsForAnyone) {
  AccessPolicy::Options options = WithRules();
  options.tokens = SomeKeys();
  options.allow_anonymous = true;
  const AccessPolicy policy(std::move(options));
  EXPECT_FALSE(policy.needs_token());
  EXPECT_TRUE(policy.Allows(nullptr, "open:1", Right::kSend));
  EXPECT_FALSE(policy.Allows(nullptr, "members:1", Right::kSend));
  EXPECT_FALSE(policy.Allows(nullptr, "chat", Right::kSend));
}

TEST(AccessPolicyTest, EachRightHasItsOwn) {
  for (const Right granted : kAllRights) {
    AccessPolicy::Options options;
    options.tokens = SomeKeys();
    const AccessPolicy policy(std::move(options));
    Identity bob = User("bob");
    Rights rights;
    rights.Add(granted);
    bob.token->grants.Add("chat:*", rights);
    for (const Right right : kAllRights) {
      EXPECT_EQ(policy.Allows(&bob, "chat:1", right), right == granted) << RightName(right);
    }
  }
}

TEST(AccessPolicyTest, ATokenForAGroupIsForThatGroup) {
  AccessPolicy::Options options;
  options.tokens = SomeKeys();
  const AccessPolicy policy(std::move(options));
  Identity bob = User("bob");
  Token& token = bob.group_tokens.emplace_back();
  token.group = "room";
  token.group_rights.Add(Right::kJoin);
  EXPECT_TRUE(policy.Allows(&bob, "room", Right::kJoin));
  EXPECT_FALSE(policy.Allows(&bob, "room", Right::kSend));
  EXPECT_FALSE(policy.Allows(&bob, "room2", Right::kJoin));
}

TEST(AccessPolicyTest, ATokenForAGroupDoesNotAuthenticate) {
  AccessPolicy::Options options = WithRules();
  options.tokens = SomeKeys();
  options.allow_anonymous = true;
  Identity anonymous;
  Token& token = anonymous.group_tokens.emplace_back();
  token.group = "room";
  token.group_rights = Rights::All();
  EXPECT_FALSE(AccessPolicy(options).Allows(&anonymous, "members:1", Right::kJoin));
  EXPECT_TRUE(AccessPolicy(options).Allows(&anonymous, "room", Right::kJoin));
  options.allow_anonymous = false;
  EXPECT_FALSE(AccessPolicy(options).Allows(&anonymous, "room", Right::kJoin));
}

TEST(AccessPolicyTest, APersonalGroupIsForItsUser) {
  AccessPolicy::Options options = WithRules();
  options.tokens = SomeKeys();
  const AccessPolicy policy(std::move(options));
  const Identity alice = User("alice");
  EXPECT_TRUE(policy.Allows(&alice, "user:alice", Right::kJoin));
  EXPECT_TRUE(policy.Allows(&alice, "user:alice", Right::kRead));
  EXPECT_FALSE(policy.Allows(&alice, "user:alice", Right::kSend));
  EXPECT_FALSE(policy.Allows(&alice, "user:alice", Right::kObserve));
  EXPECT_FALSE(policy.Allows(&alice, "user:bob", Right::kJoin));
  const Identity nobody = User("");
  EXPECT_FALSE(policy.Allows(&nobody, "user:", Right::kJoin));
}

TEST(AccessPolicyTest, PersonalGroupsCanBeOff) {
  AccessPolicy::Options options;
  options.tokens = SomeKeys();
  options.personal_groups = false;
  const AccessPolicy policy(std::move(options));
  const Identity alice = User("alice");
  EXPECT_FALSE(policy.Allows(&alice, "user:alice", Right::kJoin));
}

TEST(AccessPolicyTest, ARuleSaysWhetherMessagesNameTheirSender) {
  GroupAccess named;
  named.names_sender = true;
  std::vector<std::pair<std::string, GroupAccess>> rules = {{"chat:", named}};
  const AccessPolicy policy({.rules = PrefixMap<GroupAccess>(std::move(rules))});
  EXPECT_TRUE(policy.NamesSender("chat:1"));
  EXPECT_FALSE(policy.NamesSender("other"));
  EXPECT_TRUE(policy.Allows(nullptr, "chat:1", Right::kSend));  // it says nothing of this
}

TEST(AccessPolicyTest, ReservedGroupsAreForNobody) {
  const AccessPolicy open;
  Identity program;
  Grants all;
  Rights rights = Rights::All();
  rights.Add(Right::kManage);
  all.Add("*", rights);
  program.program = &all;
  for (const Right right : kAllRights) {
    EXPECT_FALSE(open.Allows(nullptr, "$groupcast.control", right)) << RightName(right);
    EXPECT_FALSE(open.Allows(&program, "$groupcast.control", right)) << RightName(right);
    EXPECT_TRUE(open.Allows(nullptr, "$groupcast", right)) << RightName(right);
    EXPECT_TRUE(open.Allows(&program, "$groupcasts", right)) << RightName(right);
  }
  EXPECT_FALSE(open.Allows(&program, "$groupcast.", Right::kManage));
  EXPECT_EQ(open.Check(nullptr, "$groupcast.x", Right::kSend).message(),
            "group ids that begin with $groupcast. are reserved for the services");
  Identity invited;
  invited.group_tokens.emplace_back();
  invited.group_tokens[0].group = "$groupcast.x";
  invited.group_tokens[0].group_rights = Rights::All();
  AccessPolicy::Options options = WithRules();
  options.tokens = SomeKeys();
  options.allow_anonymous = true;
  EXPECT_FALSE(AccessPolicy(std::move(options)).Allows(&invited, "$groupcast.x", Right::kJoin));
}

TEST(AccessPolicyTest, OnlyProgramsManage) {
  const AccessPolicy open;
  Identity program;
  Grants grants;
  Rights manage;
  manage.Add(Right::kManage);
  grants.Add("chat:*", manage);
  program.program = &grants;
  EXPECT_TRUE(open.Allows(&program, "chat:1", Right::kManage));
  EXPECT_FALSE(open.Allows(&program, "news", Right::kManage));
  EXPECT_FALSE(open.Allows(nullptr, "chat:1", Right::kManage));
  const Identity alice = User("alice");
  EXPECT_FALSE(open.Allows(&alice, "chat:1", Right::kManage));
}

TEST(AccessPolicyTest, TheWords) {
  EXPECT_EQ(ReadWhom("anyone"), Whom::kAnyone);
  EXPECT_EQ(ReadWhom("authenticated"), Whom::kAuthenticated);
  EXPECT_EQ(ReadWhom("granted"), Whom::kGranted);
  EXPECT_EQ(ReadWhom("nobody"), Whom::kNobody);
  EXPECT_EQ(ReadWhom("Anyone"), std::nullopt);
  EXPECT_EQ(ReadWhom(""), std::nullopt);
}

}  // namespace
}  // namespace groupcast::service
