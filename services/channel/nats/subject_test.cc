#include "services/channel/nats/subject.h"

#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(SubjectTest, PlainIdsStandForThemselves) {
  EXPECT_EQ(SubjectToken("Room-12_b"), "Room-12_b");
  EXPECT_EQ(GroupIdOfToken("Room-12_b"), "Room-12_b");
}

TEST(SubjectTest, WhatMeansSomethingToNatsIsEncoded) {
  EXPECT_EQ(SubjectToken("a.b"), "a=2Eb");
  EXPECT_EQ(SubjectToken("*>$ ="), "=2A=3E=24=20=3D");
  EXPECT_EQ(SubjectToken("ü"), "=C3=BC");
}

TEST(SubjectTest, EachByteComesBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string token = SubjectToken(all);
  EXPECT_EQ(GroupIdOfToken(token), all);
  for (const char byte : token) {
    EXPECT_TRUE((byte > ' ' && byte < 127) && byte != '.' && byte != '*' && byte != '>');
  }
}

TEST(SubjectTest, OnlyOneTokenStandsForAnId) {
  for (const char* const token : {"", "a b", "a.b", "=", "=2", "=2e", "=G0", "=41", "ü", "a="}) {
    EXPECT_EQ(GroupIdOfToken(token), std::nullopt) << token;
  }
}

}  // namespace
}  // namespace groupcast::service
