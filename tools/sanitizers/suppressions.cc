// libzmq and Abseil come from the system, without instrumentation: TSan sees the memory that
// threads hand to each other, but not the atomic operations by which they do. In Abseil, it is the
// count of references of a Status that a future carries to another thread.

// The runtime names it so, and has no header for it.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions();

const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\n"
         "race:libzmq.so\n"
         "race:libabsl_status.so\n";
}
// NOLINTEND(bugprone-reserved-identifier)
