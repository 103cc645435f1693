#include "services/settings/channel_flags.h"

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/common/flags.h"

ABSL_FLAG(std::string, channel, "127.0.0.1:2206",
          "HOST:PORT or tcp://HOST:PORT of the channel server's publish port, or unix:DIR, its "
          "--socket_dir, on the same machine");
ABSL_FLAG(int, channel_subscribe_port, 0,
          "the channel server's subscribe port; 0 is its publish port + 1");
ABSL_FLAG(int, channel_control_port, 0,
          "the channel server's control port; 0 is its publish port + 2");
ABSL_FLAG(
    std::string, channel_curve_secret_key, "",
    "file with the secret CURVE key of this service, of tools/curve_key; for a channel server "
    "with --curve_secret_key");
ABSL_FLAG(std::string, channel_curve_server_key, "",
          "file with the public CURVE key of the channel server");

namespace groupcast::service {

absl::StatusOr<ChannelUrl> ReadChannelUrl() {
  absl::StatusOr<ChannelUrl> url = ParseChannelUrl(absl::GetFlag(FLAGS_channel));
  if (!url.ok()) {
    return absl::Status(url.status().code(),
                        absl::StrCat(FlagPlace("channel"), ": ", url.status().message()));
  }
  for (const auto& [flag, port, to] :
       {std::tuple<absl::string_view, int, uint16_t*>{"channel_subscribe_port",
                                                      absl::GetFlag(FLAGS_channel_subscribe_port),
                                                      &url->server.subscribe_port},
        {"channel_control_port", absl::GetFlag(FLAGS_channel_control_port),
         &url->server.control_port}}) {
    if (port < 0 || port > 65'535) {
      return absl::InvalidArgumentError(absl::StrCat(FlagPlace(flag), "=", port, " is not a port"));
    }
    if (port != 0) *to = static_cast<uint16_t>(port);
  }
  return url;
}

absl::StatusOr<std::shared_ptr<const CurveClientKeys>> ReadChannelKeys() {
  const CurveFile secret = {FlagPlace("channel_curve_secret_key"),
                            absl::GetFlag(FLAGS_channel_curve_secret_key)};
  const CurveFile server = {FlagPlace("channel_curve_server_key"),
                            absl::GetFlag(FLAGS_channel_curve_server_key)};
  if (secret.path.empty() && server.path.empty()) return nullptr;
  absl::StatusOr<CurveClientKeys> keys = ReadCurveClientKeys(secret, server);
  if (!keys.ok()) return keys.status();
  return std::make_shared<const CurveClientKeys>(*std::move(keys));
}

}  // namespace groupcast::service
