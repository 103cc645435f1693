"""What the C++ SDK needs in a WORKSPACE of your own. sdk/cpp/README.md has the lines to paste."""

load("//third_party:repositories.bzl", "bazel_repositories", "sdk_libraries")

def groupcast_dependencies():
    """Declares the repositories of @groupcast//sdk/cpp/groupcast:client, which are libraries of the system.

    A repository that you declare before the call stays as it is. `@absl` and `@boost` then need the targets that
    @groupcast//third_party gives them.
    """
    declared = native.existing_rules()
    bazel_repositories(declared)
    sdk_libraries(declared)
