#include "services/process/pool_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupcast::service {
namespace {

absl::string_view StateWord(SharedSlot::State state) {
  switch (state) {
    case SharedSlot::State::kStarting:
      return "starting";
    case SharedSlot::State::kReady:
      return "ready";
    case SharedSlot::State::kDraining:
      return "draining";
  }
  return "";
}

void AppendLine(std::string line, std::string* text) {
  absl::StripTrailingAsciiWhitespace(&line);
  absl::StrAppend(text, "  ", line, "\n");
}

// Whether the column is in the table of limits, or in the other one.
bool IsIn(const CounterColumn& column, bool limits) {
  return !column.name.empty() && column.is_limit == limits;
}

void AppendHeads(const PoolTable::Kind& kind, bool limits, std::string* line) {
  for (const CounterColumn& column : kind.columns) {
    if (!IsIn(column, limits)) continue;
    absl::StrAppendFormat(line, "%-*s ", column.width, column.name);
  }
}

void AppendCounters(const PoolTable::Kind& kind, const PoolTable::Worker& worker, bool limits,
                    std::string* line) {
  for (size_t i = 0; i < kind.columns.size(); ++i) {
    if (!IsIn(kind.columns[i], limits)) continue;
    absl::StrAppendFormat(line, "%-*d ", kind.columns[i].width, worker.counters[i]);
  }
}

void AppendWorkers(const PoolTable::Kind& kind, absl::string_view title, std::string* text) {
  std::string head = absl::StrFormat("%-8s %-8s %-10s ", title, "pid", "state");
  AppendHeads(kind, /*limits=*/false, &head);
  *text += '\n';
  AppendLine(std::move(head), text);
  for (const PoolTable::Worker& worker : kind.workers) {
    std::string line =
        absl::StrFormat("%-8d %-8d %-10s ", worker.number, worker.pid, StateWord(worker.state));
    AppendCounters(kind, worker, /*limits=*/false, &line);
    AppendLine(std::move(line), text);
  }
}

// How often each limit was met.
void AppendLimits(const PoolTable::Kind& kind, absl::string_view title, std::string* text) {
  if (std::none_of(kind.columns.begin(), kind.columns.end(),
                   [](const CounterColumn& column) { return IsIn(column, /*limits=*/true); })) {
    return;
  }
  std::string head = absl::StrFormat("%-8s ", title);
  AppendHeads(kind, /*limits=*/true, &head);
  *text += '\n';
  AppendLine(std::move(head), text);
  for (const PoolTable::Worker& worker : kind.workers) {
    std::string line = absl::StrFormat("%-8d ", worker.number);
    AppendCounters(kind, worker, /*limits=*/true, &line);
    AppendLine(std::move(line), text);
  }
}

}  // namespace

std::string FormatPoolTable(const PoolTable& table) {
  const bool is_one_kind = table.kinds.size() == 1;
  std::string text = "\n";
  size_t url_width = 26;  // an IPv6 address may be longer
  for (const PoolTable::Kind& kind : table.kinds) url_width = std::max(url_width, kind.url.size());
  const auto append_row = [&](absl::string_view service, absl::string_view url,
                              absl::string_view processes, absl::string_view status) {
    AppendLine(absl::StrFormat("%-20s %-*s %-10s %s", service, static_cast<int>(url_width), url,
                               processes, status),
               &text);
  };
  append_row("service", "listen address", "processes", "status");
  if (!is_one_kind) append_row(table.service, "", "1", table.status);
  for (const PoolTable::Kind& kind : table.kinds) {
    append_row(is_one_kind ? table.service : kind.name, kind.url,
               absl::StrCat(is_one_kind ? "1 + " : "+ ", kind.processes),
               is_one_kind ? table.status : "");
  }
  if (!table.notes.empty()) text += '\n';
  for (const std::string& note : table.notes) AppendLine(note, &text);
  for (const PoolTable::Kind& kind : table.kinds) {
    if (!table.with_workers) continue;
    AppendWorkers(kind, is_one_kind ? "worker" : kind.name, &text);
    AppendLimits(kind, is_one_kind ? "limits" : absl::StrCat(kind.name, " limits"), &text);
  }
  absl::StrAppendFormat(
      &text,
      "\n  stop: Ctrl-C or kill %d    replace workers: kill -HUP %d    numbers: kill -USR1 %d\n\n",
      table.supervisor, table.supervisor, table.supervisor);
  return text;
}

std::string FormatPoolSummary(const PoolTable& table) {
  std::string line = table.status;
  for (const PoolTable::Kind& kind : table.kinds) {
    absl::StrAppend(&line, "; ", kind.name, ": ", kind.processes, " workers at ", kind.url);
  }
  for (std::string note : table.notes) {
    absl::RemoveExtraAsciiWhitespace(&note);  // it is a row of a table
    absl::StrAppend(&line, "; ", note);
  }
  return line;
}

}  // namespace groupcast::service
