"""Libraries of the operating system as Bazel repositories.

pkg_config_repository asks pkg-config, so it works wherever the libraries' .pc files are;
system_headers_repository serves the few that have none. Both stop with the name of the package to
install when something is missing. folder_repository is for what this workspace brings along.
"""

def _missing(repository_ctx, what):
    fail("\n\n{what} was not found. On Debian or Ubuntu:\n\n    sudo apt-get install {packages}\n\n".format(
        what = what,
        packages = repository_ctx.attr.debian_packages,
    ))

def _pkg_config(repository_ctx, tool, module, flag):
    result = repository_ctx.execute([tool, flag, module])
    if result.return_code != 0:
        _missing(repository_ctx, "pkg-config module {}".format(module))
    return [word for word in result.stdout.strip().split(" ") if word]

_CC_LIBRARY = """
cc_library(
    name = "{name}",
    defines = {defines},
    includes = {includes},
    hdrs = glob({hdrs}),
    linkopts = {linkopts},
)
"""

def _pkg_config_repository_impl(repository_ctx):
    tool = repository_ctx.which("pkg-config")
    if not tool:
        fail("\n\npkg-config was not found. On Debian or Ubuntu:\n\n    sudo apt-get install pkg-config\n\n")
    build = ["package(default_visibility = [\"//visibility:public\"])\n"]
    for module in repository_ctx.attr.modules:
        includes = []
        defines = []
        for word in _pkg_config(repository_ctx, tool, module, "--cflags"):
            if word.startswith("-I") and word != "-I/usr/include":
                link = "include_{}_{}".format(module, len(includes))
                repository_ctx.symlink(word[2:], link)
                includes.append(link)
            elif word.startswith("-D"):
                defines.append(word[2:])
        linkopts = _pkg_config(repository_ctx, tool, module, "--libs")
        build.append(_CC_LIBRARY.format(
            name = module,
            defines = repr(defines),
            includes = repr(includes),
            hdrs = repr([link + "/**/*.h*" for link in includes]),
            linkopts = repr(linkopts),
        ))
    repository_ctx.file("BUILD", "".join(build))

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    doc = "One cc_library for each pkg-config module, named as the module.",
    attrs = {
        "debian_packages": attr.string(mandatory = True, doc = "What apt-get installs to get the modules."),
        "modules": attr.string_list(mandatory = True),
    },
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)

def _system_headers_repository_impl(repository_ctx):
    for path in repository_ctx.attr.requires:
        if not repository_ctx.path("/usr/" + path).exists:
            _missing(repository_ctx, "/usr/" + path)
    repository_ctx.symlink("/usr/bin", "bin")
    repository_ctx.symlink("/usr/include", "include")
    repository_ctx.symlink(repository_ctx.attr.build_file, "BUILD")

system_headers_repository = repository_rule(
    implementation = _system_headers_repository_impl,
    doc = "A repository on /usr with a BUILD file of ours, for libraries without pkg-config files.",
    attrs = {
        "build_file": attr.label(mandatory = True),
        "debian_packages": attr.string(mandatory = True, doc = "What apt-get installs to get the files."),
        "requires": attr.string_list(mandatory = True, doc = "Files below /usr that must be there."),
    },
    local = True,
)

def _folder_repository_impl(repository_ctx):
    for child in repository_ctx.path(repository_ctx.attr.workspace_file).dirname.readdir():
        repository_ctx.symlink(child, child.basename)

folder_repository = repository_rule(
    implementation = _folder_repository_impl,
    doc = "As local_repository, with a folder of a workspace that need not be the main one.",
    attrs = {
        "workspace_file": attr.label(mandatory = True, doc = "The WORKSPACE file in the folder."),
    },
    local = True,
)
