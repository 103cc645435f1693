#include "services/process/pool_table.h"

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

void AppendWorkers(const PoolTable::Kind& kind, absl::string_view title, std::string* text) {
  std::string head = absl::StrFormat("%-8s %-8s %-10s ", title, "pid", "state");
  for (const CounterColumn& column : kind.columns) {
    absl::StrAppendFormat(&head, "%-*s ", column.width, column.name);
  }
  *text += '\n';
  AppendLine(std::move(head), text);
  for (const PoolTable::Worker& worker : kind.workers) {
    std::string line =
        absl::StrFormat("%-8d %-8d %-10s ", worker.number, worker.pid, StateWord(worker.state));
    for (size_t i = 0; i < kind.columns.size(); ++i) {
      absl::StrAppendFormat(&line, "%-*d ", kind.columns[i].width, worker.counters[i]);
    }
    AppendLine(std::move(line), text);
  }
}

}  // namespace

std::string FormatPoolTable(const PoolTable& table) {
  const bool is_one_kind = table.kinds.size() == 1;
  std::string text = "\n";
  AppendLine(
      absl::StrFormat("%-20s %-26s %-10s %s", "service", "listen address", "processes", "status"),
      &text);
  if (!is_one_kind) {
    AppendLine(absl::StrFormat("%-20s %-26s %-10s %s", table.service, "", "1", table.status),
               &text);
  }
  for (const PoolTable::Kind& kind : table.kinds) {
    AppendLine(absl::StrFormat("%-20s %-26s %-10s %s", is_one_kind ? table.service : kind.name,
                               kind.url, absl::StrCat(is_one_kind ? "1 + " : "+ ", kind.processes),
                               is_one_kind ? table.status : ""),
               &text);
  }
  if (!table.notes.empty()) text += '\n';
  for (const std::string& note : table.notes) AppendLine(note, &text);
  for (const PoolTable::Kind& kind : table.kinds) {
    if (table.with_workers) AppendWorkers(kind, is_one_kind ? "worker" : kind.name, &text);
  }
  absl::StrAppendFormat(
      &text,
      "\n  stop: Ctrl-C or kill %d    replace workers: kill -HUP %d    numbers: kill -USR1 %d\n\n",
      table.supervisor, table.supervisor, table.supervisor);
  return text;
}

}  // namespace groupcast::service
