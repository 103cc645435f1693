"""What tests and benchmarks of one source file have in common."""

def unit_test(name, deps, size = "small"):
    """A GoogleTest of the source file that has the target's name.

    Args:
      name: of the target and, with .cc, of its source.
      deps: what it exercises and uses, besides GoogleTest.
      size: how long it may take, as for every test of Bazel.
    """
    native.cc_test(
        name = name,
        size = size,
        srcs = [name + ".cc"],
        deps = deps + ["@gtest//:gtest_main"],
    )

def benchmark(name, deps):
    """A program of Google Benchmark, of the source file that has the target's name.

        bazel run //services/channel:feed_benchmark

    Args:
      name: of the target and, with .cc, of its source.
      deps: what it measures and uses, besides Google Benchmark.
    """
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = [name + ".cc"],
        deps = deps + ["@benchmark//:benchmark"],
    )
