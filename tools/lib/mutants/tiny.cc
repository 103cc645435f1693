// For mutants_test.py: a source whose mutants are known. Comments stay as they are: a < b.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace tiny {

constexpr int kMost = 3;

struct Limits {
  int low = 1;  // not in a function
  int high = 9;
};

// A comparison in a list of template arguments, in a string and as a shift is none.
bool IsKnown(const std::map<std::string, std::vector<int>>& known, const std::string& name) {
  const auto found = known.find(name);
  return found != known.end() && std::strcmp(name.c_str(), "a < b") != 0;
}

int CountBelow(const std::vector<int>& values, int bound) {
  int count = 0;
  for (const int value : values) {
    if (value < bound) ++count;
  }
  return std::min(count, kMost);
}

// Which one it returns makes no difference if they are equal: one mutant must survive.
int Larger(int a, int b) { return a < b ? b : a; }

int Half(int number) {
  int half = 0;
  while (number > 1) {
    number -= 2;
    ++half;
  }
  return half;
}

int Sign(int number) {
  switch (number) {
    case 0:
      return 0;
    default:
      break;
  }
  if (number < 0) return -1;
  return 1;
}

}  // namespace tiny

int main() {
  using namespace tiny;
  const auto holds = [](bool condition) {
    if (!condition) std::exit(1);
  };
  holds(IsKnown({{"x", {}}}, "x") && !IsKnown({{"x", {}}}, "y"));
  holds(!IsKnown({{"a < b", {}}}, "a < b"));
  holds(CountBelow({1, 2, 3}, 3) == 2 && CountBelow({1, 1, 1, 1, 1}, 3) == kMost && kMost == 3);
  holds(Larger(1, 2) == 2 && Larger(2, 1) == 2);
  holds(Half(1) == 0 && Half(2) == 1 && Half(7) == 3);
  holds(Sign(-5) == -1 && Sign(0) == 0 && Sign(5) == 1 && Sign(1) == 1 && Sign(-1) == -1);
  return Limits{}.low == 1 ? 0 : 1;
}
