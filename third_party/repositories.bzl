"""The repositories of this workspace, for its own WORKSPACE, for the WORKSPACE of others and for MODULE.bazel.

Everything here is on the machine already, as Debian packages, but for the npm packages at the end. Each function skips the names in
`declared`, which WORKSPACE files get from native.existing_rules().
"""

load(":npm.bzl", "npm_packages")
load(
    ":system_library.bzl",
    "folder_repository",
    "pkg_config_repository",
    "system_headers_repository",
)

def bazel_repositories(declared = {}):
    """What Bazel 4.2 asks for by itself, and would download.

    Args:
      declared: the names of the repositories that are there.
    """
    for name, path in {
        "bazel_skylib": "/usr/share/bazel/tools/skylib",
        "platforms": "/usr/share/bazel/tools/platforms",
        "rules_java": "/usr/share/bazel/rules/java",
        "rules_proto": "/usr/share/bazel/rules/proto",
    }.items():
        if name not in declared:
            native.local_repository(name = name, path = path)
    for name, workspace_file in {
        "remote_coverage_tools": Label("//third_party/remote_coverage_tools:WORKSPACE"),
        "rules_cc": Label("//third_party/rules_cc:WORKSPACE"),
    }.items():
        if name not in declared:
            folder_repository(name = name, workspace_file = workspace_file)

# What the C++ SDK is made of.
_SDK_PKG_CONFIG = {
    "absl": struct(
        debian_packages = "libabsl-dev",
        modules = [
            "absl_base",
            "absl_btree",
            "absl_flags",
            "absl_flags_parse",
            "absl_flags_reflection",
            "absl_flags_usage",
            "absl_flat_hash_map",
            "absl_flat_hash_set",
            "absl_hash",
            "absl_inlined_vector",
            "absl_node_hash_map",
            "absl_random_random",
            "absl_span",
            "absl_status",
            "absl_statusor",
            "absl_str_format",
            "absl_strings",
            "absl_time",
        ],
    ),
    "openssl": struct(
        debian_packages = "libssl-dev",
        modules = [
            "libcrypto",
            "libssl",
        ],
    ),
}

# What the services and the tests need besides.
_SERVICE_PKG_CONFIG = {
    "benchmark": struct(
        debian_packages = "libbenchmark-dev",
        modules = ["benchmark"],
    ),
    "cli11": struct(
        debian_packages = "libcli11-dev",
        modules = ["CLI11"],
    ),
    "gtest": struct(
        debian_packages = "libgtest-dev libgmock-dev",
        modules = [
            "gmock",
            "gtest",
            "gtest_main",
        ],
    ),
    "jwt": struct(
        debian_packages = "libjwt-dev",
        modules = ["libjwt"],
    ),
    "prometheus": struct(
        debian_packages = "prometheus-cpp-dev",
        modules = ["prometheus-cpp-core"],
    ),
    "spdlog": struct(
        debian_packages = "libspdlog-dev",
        modules = ["spdlog"],
    ),
    "xxhash": struct(
        debian_packages = "libxxhash-dev",
        modules = ["libxxhash"],
    ),
    "zlib": struct(
        debian_packages = "zlib1g-dev",
        modules = ["zlib"],
    ),
    "zmq": struct(
        debian_packages = "libzmq3-dev cppzmq-dev",
        modules = [
            "libzmq",
            "cppzmq",
        ],
    ),
}

def _pkg_config_repositories(libraries, declared):
    for name, library in libraries.items():
        if name not in declared:
            pkg_config_repository(
                name = name,
                debian_packages = library.debian_packages,
                modules = library.modules,
            )

def sdk_libraries(declared = {}):
    """The libraries of //sdk/cpp.

    Args:
      declared: the names of the repositories that are there.
    """
    _pkg_config_repositories(_SDK_PKG_CONFIG, declared)
    if "boost" not in declared:
        system_headers_repository(
            name = "boost",
            build_file = Label("//third_party/boost:boost.BUILD"),
            debian_packages = "libboost1.81-dev libboost-json1.81-dev",
            requires = [
                "include/boost/beast.hpp",
                "include/boost/json.hpp",
            ],
        )

def service_libraries(declared = {}):
    """The libraries of everything else.

    Args:
      declared: the names of the repositories that are there.
    """
    _pkg_config_repositories(_SERVICE_PKG_CONFIG, declared)
    if "com_google_protobuf" not in declared:
        system_headers_repository(
            name = "com_google_protobuf",
            build_file = Label("//third_party/protobuf:protobuf.BUILD"),
            debian_packages = "libprotobuf-dev protobuf-compiler",
            requires = [
                "bin/protoc",
                "include/google/protobuf/descriptor.proto",
                "include/google/protobuf/message.h",
            ],
        )

def npm_repositories():
    """What is downloaded, when something needs the dashboard's pages."""
    npm_packages(
        name = "dashboard_npm",
        lock = Label("//services/http_gateway/dashboard:package-lock.json"),
        package = Label("//services/http_gateway/dashboard:package.json"),
    )
