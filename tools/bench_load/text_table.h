#ifndef GROUPCAST_TOOLS_BENCH_LOAD_TEXT_TABLE_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "tools/bench_load/statistics.h"

namespace groupcast::bench {

// The first row is the heading. All rows have the same length. All columns except the first are
// numbers.
using TextTable = std::vector<std::vector<std::string>>;

// For a terminal, with a newline at the end of each row.
std::string LayOut(const TextTable& table);

std::string Decimal(double value, int decimals);
// The median and, in brackets, the range of all runs.
std::string WithRange(const Spread& spread, int decimals);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_TEXT_TABLE_H_
