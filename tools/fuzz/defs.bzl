"""Fuzz targets."""

def cc_fuzz(name, srcs, deps, corpus):
    """A libFuzzer target that is a plain test in all other builds.

    In `bazel test //...` it replays its corpus and a fixed number of mutations of it. To look for more:

        bazel run --config=fuzz //services/websocket_service/wire:frame_codec_fuzz -- -max_total_time=60

    Args:
      name: ends in _fuzz.
      srcs: define LLVMFuzzerTestOneInput.
      deps: what it exercises.
      corpus: files of inputs that are worth keeping.
    """
    native.cc_test(
        name = name,
        size = "medium",
        srcs = srcs,
        args = ["$(locations {})".format(file) for file in corpus],
        data = corpus,
        linkopts = select({
            "//tools/fuzz:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//tools/fuzz:libfuzzer": [],
            "//conditions:default": ["//tools/fuzz:replay"],
        }),
    )
