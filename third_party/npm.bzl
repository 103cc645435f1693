"""npm packages as a Bazel repository: what a package-lock.json says, and nothing else.

npm takes them from the registry that it is configured for. The lock file has their hashes. Bazel fetches the
repository only for targets that need it.
"""

def _npm_packages_impl(repository_ctx):
    npm = repository_ctx.which("npm")
    if not npm:
        fail("\n\nnpm was not found. On Debian or Ubuntu:\n\n    sudo apt-get install npm\n\n")
    repository_ctx.symlink(repository_ctx.attr.package, "package.json")
    repository_ctx.symlink(repository_ctx.attr.lock, "package-lock.json")

    # No package may run a program of its own while it is installed.
    result = repository_ctx.execute([
        npm,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        # Without a network it fails within seconds.
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=1000",
    ])
    if result.return_code != 0:
        fail("\n\nnpm ci failed for {}:\n\n{}\n".format(repository_ctx.attr.lock, result.stderr))
    repository_ctx.file("BUILD", "exports_files(glob([\"node_modules/**\"]))\n")

npm_packages = repository_rule(
    implementation = _npm_packages_impl,
    doc = "The packages of a lock file, as the files below node_modules.",
    attrs = {
        "lock": attr.label(mandatory = True, doc = "package-lock.json"),
        "package": attr.label(mandatory = True, doc = "package.json"),
    },
)
