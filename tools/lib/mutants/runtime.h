// Stands at the head of each source that has mutants. The environment names the mutant that is
// active, so a program with thousands of mutants is built once.
#ifndef GROUPCAST_MUTANTS_RUNTIME
#define GROUPCAST_MUTANTS_RUNTIME
#include <cstdio>
#include <cstdlib>
namespace mutants {

inline const int active = std::getenv("MUTANT") ? std::atoi(std::getenv("MUTANT")) : 0;

// Lists the mutants that a run has reached, in the file that the environment names.
struct Trace {
  ~Trace() {
    const char* const name = std::getenv("MUTANTS_REACHED");
    std::FILE* const file = name ? std::fopen(name, "w") : nullptr;
    if (!file) return;
    for (int i = 0; i < kMax; ++i) {
      if (reached[i]) std::fprintf(file, "%d\n", i);
    }
    std::fclose(file);
  }
  static constexpr int kMax = 1 << 16;
  bool reached[kMax];
};
inline Trace trace;

inline bool Is(int mutant) {
  trace.reached[mutant] = true;
  return mutant != 0 && mutant == active;  // 0: left out
}

// `a < b` becomes `a <Less{n}> b`, which has the same precedence and needs no place of its ends.
template <typename A, typename Op>
struct Left {
  const A& a;
  Op op;
};

#define GROUPCAST_MUTANT(Name, in, out, is, becomes)            \
  struct Name {                                                 \
    int mutant;                                                 \
  };                                                            \
  template <typename A>                                         \
  Left<A, Name> operator in(const A& a, Name op) {              \
    return {a, op};                                             \
  }                                                             \
  template <typename A, typename B>                             \
  bool operator out(const Left<A, Name>& left, const B& b) {    \
    return Is(left.op.mutant) ? left.a becomes b : left.a is b; \
  }
GROUPCAST_MUTANT(Less, <, >, <, <=)
GROUPCAST_MUTANT(LessEqual, <, >, <=, <)
GROUPCAST_MUTANT(Greater, <, >, >, >=)
GROUPCAST_MUTANT(GreaterEqual, <, >, >=, >)
GROUPCAST_MUTANT(Equal, ==, ==, ==, !=)
GROUPCAST_MUTANT(NotEqual, ==, ==, !=, ==)
#undef GROUPCAST_MUTANT

template <typename T>
const T& Min(int mutant, const T& a, const T& b) {
  return (b < a) != Is(mutant) ? b : a;
}
template <typename T>
const T& Max(int mutant, const T& a, const T& b) {
  return (a < b) != Is(mutant) ? b : a;
}

}  // namespace mutants
#endif
