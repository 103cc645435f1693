#include "tests/faults/chaos_report.h"

#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace groupcast::tests {
namespace {

std::string FaultsByKind(const FaultMix::Counts& faults) {
  std::string text;
  for (size_t i = 0; i < kFaultKinds; ++i)
    absl::StrAppend(&text, i == 0 ? "" : ", ", faults[i], " x ", kFaults[i].name);
  return text;
}

std::string Percentile(const std::vector<absl::Duration>& sorted, double part) {
  if (sorted.empty()) return "-";
  const auto at = static_cast<size_t>(std::lround(part * static_cast<double>(sorted.size() - 1)));
  return absl::StrCat(absl::ToInt64Milliseconds(sorted[at]), " ms");
}

}  // namespace

int64_t ChaosReport::FaultsInAll() const {
  int64_t sum = 0;
  for (const int64_t count : faults) sum += count;
  return sum;
}

std::string ChaosReport::Text() const {
  return absl::StrCat(
      "  messages    ", counts.sent, ": ", counts.acknowledged, " acknowledged, ", counts.unknown,
      " unknown, ", counts.not_done, " not done, ", counts.unanswered, " unanswered\n",
      "  deliveries  ", counts.deliveries, "; ", rejoins, " times a member left and came back\n",
      "  faults      ", FaultsInAll(), ": ", FaultsByKind(faults), "\n",
      "  the channel server's returns, from its start to the first message: p50 ",
      Percentile(returns, 0.5), ", p95 ", Percentile(returns, 0.95), ", max ",
      Percentile(returns, 1), " of ", returns.size(), "\n", "  lost        ", counts.lost, ", ",
      counts.gaps, " of them told as a gap\n", "  doubled     ", counts.doubled, "\n",
      "  reordered   ", counts.reordered, "\n", "  publishers  ", publishers.messages,
      " messages over HTTP, ", publishers.lists, " lists; repeated ", publishers.repeats,
      " times, after ", publishers.lost, " lost connections, ", publishers.late, " time-outs, ",
      publishers.refused, " refused connections, ", publishers.not_done, " unavailable, ",
      publishers.uncertain, " uncertain\n", "  streams     ", streams.streams, ", ",
      streams.recovered, " of them from an id; ", streams.deliveries, " deliveries, ", streams.gaps,
      " gaps; ", gateway_findings, " contradictions of the gateway\n", "  presence    ",
      presence.pages, " pages, ", presence.joins, " joins and ", presence.leaves, " leaves over ",
      presence.connections, " connections of watchers; ", presence_findings, " contradictions\n",
      "  crashes     ", crashes);
}

std::string ChaosReport::Line() const {
  return absl::StrCat(Passed() ? "passed" : "FAILED", ": seed ", seed, ", ",
                      absl::FormatDuration(duration), ": ", counts.sent, " messages, ",
                      counts.acknowledged, " acknowledged (", publishers.acknowledged,
                      " over HTTP), ", counts.deliveries, " deliveries (", streams.deliveries,
                      " to streams), ", FaultsInAll(), " faults (", FaultsByKind(faults), "), ",
                      counts.lost, " lost, ", counts.doubled, " doubled, ", counts.reordered,
                      " reordered, ", Contradictions(), " contradictions");
}

}  // namespace groupcast::tests
