"""The libraries of the operating system for MODULE.bazel."""

load(":repositories.bzl", "npm_repositories", "sdk_libraries", "service_libraries")

def _system_libraries_impl(_module_ctx):
    sdk_libraries()
    service_libraries()
    npm_repositories()

system_libraries = module_extension(implementation = _system_libraries_impl)
