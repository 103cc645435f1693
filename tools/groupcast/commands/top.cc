#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/gateway.h"
#include "tools/groupcast/service_rates.h"
#include "tools/groupcast/table.h"
#include "tools/groupcast/waker.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(On a terminal the table is drawn again each time. Otherwise each time prints a line for the
services and a line for each group, for logs and scripts. Latency is the time from the send of a
message to its delivery by a worker: half of the messages took at most p50, and 99 % at most p99.
The gateway tells that to callers of its own machine, or for an API key: "observe" for the groups,
"manage" for the services.

Examples:
  groupcast top
  groupcast top --prefix=room: --limit=50
  groupcast top --count=2 --interval=10s | tail -20)";

constexpr absl::string_view kHomeAndClear = "\x1b[H\x1b[J";

struct Arguments {
  GatewayOptions gateway;
  std::string prefix;
  int limit = 20;
  absl::Duration interval = absl::Seconds(2);
  uint64_t count = 0;  // 0: no end
};

std::string Rate(const std::optional<double>& rate) {
  return rate.has_value() ? absl::StrFormat("%.1f/s", *rate) : "-";
}

std::string Count(const std::optional<double>& count) {
  return count.has_value() ? absl::StrFormat("%.0f", *count) : "-";
}

std::string Latency(const std::optional<absl::Duration>& latency) {
  if (!latency.has_value()) return "-";
  if (*latency == absl::InfiniteDuration()) return "very long";
  return absl::StrFormat("%.1fms", absl::ToDoubleMilliseconds(*latency));
}

// The numbers of all services in one line.
std::string ServicesLine(const ServiceRates& rates) {
  return absl::StrCat("connections=", Count(rates.Sum("groupcast_connections")),
                      " messages=", Rate(rates.PerSecond("groupcast_channel_publications_total")),
                      " deliveries=", Rate(rates.PerSecond("groupcast_deliveries_total")),
                      " p50=", Latency(rates.Quantile("groupcast_delivery_latency_seconds", 0.5)),
                      " p99=", Latency(rates.Quantile("groupcast_delivery_latency_seconds", 0.99)));
}

class Top {
 public:
  Top(const Arguments& arguments, const Gateway& gateway, Console* console)
      : arguments_(arguments), gateway_(gateway), console_(console) {}

  ExitCode Run() {
    for (uint64_t round = 1;; ++round) {
      const absl::Status status = ShowRound();
      // What the gateway cannot do for the moment, it may do at the next look.
      const bool may_pass = absl::IsUnavailable(status) && HasAnswered(status);
      if (!status.ok() && round == 1 && !may_pass) {
        console_->Complain(GatewayError(arguments_.gateway, status));
        return ExitCodeOf(status);
      }
      if (!status.ok()) {
        console_->Note(absl::StrCat(GatewayError(arguments_.gateway, status), "; trying again"));
      }
      if (reader_has_gone_) return ExitCode::kDone;
      if (round == arguments_.count) return ExitCodeOf(status);
      if (waker_.Wait(arguments_.interval) == Waker::Cause::kSignal) return ExitCode::kDone;
    }
  }

 private:
  absl::Status ShowRound() {
    const absl::StatusOr<GroupList> groups = gateway_.Busiest(arguments_.prefix, arguments_.limit);
    if (!groups.ok()) return groups.status();
    if (!services_refused_) {
      const absl::StatusOr<std::vector<ServiceRow>> services = gateway_.Services();
      if (services.ok()) {
        rates_.Add(absl::Now() - absl::UnixEpoch(), *services);
      } else if (absl::IsPermissionDenied(services.status()) ||
                 absl::IsUnauthenticated(services.status())) {
        services_refused_ = true;
        console_->Note("The numbers of the services need an API key with the scope \"manage\".");
      } else {
        return services.status();
      }
    }
    const std::string text = console_->out_is_terminal() ? Screen(*groups) : Lines(*groups);
    reader_has_gone_ = !console_->Print(text);
    return absl::OkStatus();
  }

  std::string Screen(const GroupList& list) const {
    Table table({{"GROUP"}, {"MEMBERS", true}, {"MESSAGES/S", true}});
    for (const GroupRow& group : list.groups) {
      table.AddRow({Harmless(group.group_id), absl::StrCat(group.members),
                    absl::StrFormat("%.1f", group.messages_per_second)});
    }
    return absl::StrCat(kHomeAndClear, console_->OutColour(Colour::kBold, gateway_.url().authority),
                        "  ", absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone()),
                        "  ", services_refused_ ? "" : ServicesLine(rates_), "\n\n",
                        list.groups.empty() ? "No group has members.\n" : table.Text(*console_),
                        list.complete ? "" : "\nNot all workers have answered.\n",
                        "\nCtrl-C ends it.\n");
  }

  std::string Lines(const GroupList& list) const {
    const std::string time =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
    std::string lines;
    if (!services_refused_) {
      lines = absl::StrCat(time, " services ", ServicesLine(rates_), "\n");
    }
    for (const GroupRow& group : list.groups) {
      absl::StrAppend(&lines, time, " group members=", group.members,
                      absl::StrFormat(" messages=%.1f/s id=", group.messages_per_second),
                      Harmless(group.group_id), "\n");
    }
    return lines;
  }

  const Arguments arguments_;
  const Gateway gateway_;
  Console* const console_;
  Waker waker_;
  ServiceRates rates_;
  bool services_refused_ = false;
  bool reader_has_gone_ = false;
};

}  // namespace

Run DefineTop(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "--prefix", &arguments->prefix, "PREFIX", "only groups whose ids begin with it");
  Add(app, "--limit", &arguments->limit, "N", "the N busiest groups, at most 100")
      ->check(CLI::Range(1, 100).description(""))
      ->default_str("20");
  AddDuration(app, "--interval", &arguments->interval, "the time between two looks")
      ->default_str("2s");
  Add(app, "--count", &arguments->count, "N", "end after N looks")
      ->check(CLI::PositiveNumber.description(""));
  AddGatewayOptions(app, &arguments->gateway);
  app->footer(kFooter);
  return [arguments](Console& console) {
    const absl::StatusOr<Gateway> gateway = Gateway::Create(arguments->gateway);
    if (!gateway.ok()) {
      console.Complain(gateway.status().message());
      return ExitCode::kWrongUsage;
    }
    return Top(*arguments, *gateway, &console).Run();
  };
}

}  // namespace groupcast::cli
