#include "services/websocket_service/proxy/proxy_header.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;
using Result = ProxyHeader::Result;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// From version and command on, in hexadecimal.
std::string Header(absl::string_view hex) { return kSignature + absl::HexStringToBytes(hex); }

// 192.0.2.1:4000 to 10.0.0.1:1234.
const std::string kInet = Header("2111000cc00002010a0000010fa004d2");

TEST(ProxyHeaderTest, HasTheAddressOfTheProxysClient) {
  const ProxyHeader header = ProxyHeader::Read(kInet);
  EXPECT_EQ(header.result, Result::kDone) << header.error;
  EXPECT_EQ(header.bytes, 28u);
  EXPECT_EQ(header.client->Text(), "192.0.2.1");
  const ProxyHeader v6 =
      ProxyHeader::Read(Header("21210024"
                               "20010db8000000000000000000000007"
                               "20010db8000000000000000000000008"
                               "0fa004d2"));
  EXPECT_EQ(v6.result, Result::kDone) << v6.error;
  EXPECT_EQ(v6.bytes, 52u);
  EXPECT_EQ(v6.client->Text(), "2001:db8::7");
}

// The bytes behind the header belong to TLS or HTTP.
TEST(ProxyHeaderTest, EndsWhereItSays) {
  EXPECT_EQ(ProxyHeader::Read(kInet + "GET / HTTP/1.1").bytes, 28u);
  // With a TLV of 5 bytes, which is skipped.
  const ProxyHeader with_tlv =
      ProxyHeader::Read(Header("21110011c00002010a0000010fa004d204000261620000"));
  EXPECT_EQ(with_tlv.result, Result::kDone);
  EXPECT_EQ(with_tlv.bytes, 33u);
  EXPECT_EQ(with_tlv.client->Text(), "192.0.2.1");
}

TEST(ProxyHeaderTest, SaysHowManyBytesItNeeds) {
  for (size_t size = 0; size < kInet.size(); ++size) {
    const ProxyHeader header = ProxyHeader::Read(absl::string_view(kInet).substr(0, size));
    EXPECT_EQ(header.result, Result::kNeedMore) << size;
    EXPECT_EQ(header.bytes, size < 16 ? 16u : 28u) << size;
  }
}

TEST(ProxyHeaderTest, AProxyThatSpeaksForItselfNamesNoClient) {
  const ProxyHeader local = ProxyHeader::Read(Header("20000000"));
  EXPECT_EQ(local.result, Result::kDone);
  EXPECT_EQ(local.client, std::nullopt);
  // Even if there is an address.
  EXPECT_EQ(ProxyHeader::Read(Header("2011000cc00002010a0000010fa004d2")).client, std::nullopt);
  // A client without an IP address: unspecified, or of a Unix socket.
  EXPECT_EQ(ProxyHeader::Read(Header("21000000")).client, std::nullopt);
  EXPECT_EQ(ProxyHeader::Read(Header("213100d8") + std::string(216, 'u')).result, Result::kDone);
}

TEST(ProxyHeaderTest, AnythingElseIsInvalidAtOnce) {
  const struct {
    std::string bytes;
    std::string error;
  } cases[] = {
      {"G", "does not begin with the signature"},
      {"PROXY TCP4 192.0.2.1 10.0.0.1 4000 1234\r\n", "does not begin with the signature"},
      {"\r\n\r\n\r", "does not begin with the signature"},
      {Header("1111000c"), "version is not 2"},
      {Header("2211000c"), "command is not known"},
      {Header("2141000c"), "address family is not known"},
      {Header("2111000b"), "too short for its addresses"},
      {Header("21210023"), "too short for its addresses"},
      {Header("21111000"), "larger than 4096 bytes"},
      {Header("2111ffff"), "larger than 4096 bytes"},
  };
  for (const auto& c : cases) {
    const ProxyHeader header = ProxyHeader::Read(c.bytes);
    EXPECT_EQ(header.result, Result::kInvalid) << c.error;
    EXPECT_THAT(header.error, HasSubstr(c.error));
  }
}

}  // namespace
}  // namespace groupcast::service
