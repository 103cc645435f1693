"""Debian packages and what tools/install installs, from the targets of this workspace."""

def _optimized_impl(_settings, _attr):
    return {"//command_line_option:compilation_mode": "opt"}

# Whatever the command line says, what is packaged is optimized.
_optimized = transition(
    implementation = _optimized_impl,
    inputs = [],
    outputs = ["//command_line_option:compilation_mode"],
)

_FILES_DOC = "A target, and \"MODE PATH\". A path that ends with / is the folder of the target's files."

def _file_lines(files):
    """The lines of the manifest for the attribute `files`, and the sources that they name."""
    lines = []
    sources = []
    for target, place in files.items():
        mode, _, path = place.partition(" ")
        target_files = target.files.to_list()
        if len(target_files) > 1 and not path.endswith("/"):
            fail("{} is several files: {} must end with /".format(target.label, path))
        for file in target_files:
            lines.append("file\t{}\t{}\t{}".format(
                mode,
                path + file.basename if path.endswith("/") else path,
                file.path,
            ))
        sources.extend(target_files)
    return lines, sources

def _debian_package_impl(ctx):
    deb = ctx.actions.declare_file(ctx.label.name + ".deb")
    manifest = ctx.actions.declare_file(ctx.label.name + ".manifest")
    lines, sources = _file_lines(ctx.attr.files)
    for path, target_of_link in ctx.attr.links.items():
        lines.append("link\t-\t{}\t{}".format(path, target_of_link))
    for script in ctx.files.scripts:
        lines.append("control\t755\t{}\t{}".format(script.extension, script.path))
    for path in ctx.attr.conffiles:
        lines.append("conffile\t-\t{}\t-".format(path))
    ctx.actions.write(manifest, "".join([line + "\n" for line in lines]))

    ctx.actions.run(
        executable = ctx.executable._build,
        arguments = [
            ctx.attr.package,
            ctx.file.control.path,
            ctx.file.changelog.path,
            ctx.file._version.path,
            manifest.path,
            deb.path,
        ],
        inputs = depset(sources + ctx.files.scripts + [
            ctx.file.control,
            ctx.file.changelog,
            ctx.file._version,
            manifest,
        ]),
        outputs = [deb],
        tools = [ctx.executable._install_files],
        mnemonic = "DebianPackage",
        progress_message = "Making the Debian package {}".format(ctx.attr.package),
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([deb]), runfiles = ctx.runfiles([deb]))]

debian_package = rule(
    implementation = _debian_package_impl,
    doc = "NAME.deb. dpkg-shlibdeps finds the packages that its programs need. The same sources give the same bytes.",
    cfg = _optimized,
    attrs = {
        "package": attr.string(mandatory = True, doc = "The package's name in `control`."),
        "control": attr.label(mandatory = True, allow_single_file = True),
        "changelog": attr.label(mandatory = True, allow_single_file = True, doc = "Debian's. It has the time of all files."),
        "files": attr.label_keyed_string_dict(allow_files = True, doc = _FILES_DOC),
        "links": attr.string_dict(doc = "A path, and what the link there contains."),
        "scripts": attr.label_list(allow_files = True, doc = "Maintainer scripts: PACKAGE.postinst and so on."),
        "conffiles": attr.string_list(doc = "Paths that dpkg asks about before it overwrites a change."),
        "_version": attr.label(default = "//:VERSION", allow_single_file = True),
        "_build": attr.label(default = ":build_deb", allow_single_file = True, executable = True, cfg = "host"),
        "_install_files": attr.label(default = ":install_files", allow_single_file = True, executable = True, cfg = "host"),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def _install_tar_impl(ctx):
    tar = ctx.actions.declare_file(ctx.label.name + ".tar")
    manifest = ctx.actions.declare_file(ctx.label.name + ".manifest")
    lines, sources = _file_lines(ctx.attr.files)
    ctx.actions.write(manifest, "".join([line + "\n" for line in lines]))
    ctx.actions.run(
        executable = ctx.executable._build,
        arguments = [manifest.path, tar.path],
        inputs = sources + [manifest],
        outputs = [tar],
        tools = [ctx.executable._install_files],
        mnemonic = "InstallTar",
        progress_message = "Collecting the files of {}".format(ctx.label),
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([tar]), runfiles = ctx.runfiles([tar]))]

install_tar = rule(
    implementation = _install_tar_impl,
    doc = "NAME.tar, which tools/install extracts into its prefix.",
    cfg = _optimized,
    attrs = {
        "files": attr.label_keyed_string_dict(allow_files = True, doc = _FILES_DOC),
        "_build": attr.label(default = ":build_tar", allow_single_file = True, executable = True, cfg = "host"),
        "_install_files": attr.label(default = ":install_files", allow_single_file = True, executable = True, cfg = "host"),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def below_usr(files):
    """`files` of install_tar, for debian_package."""
    return {target: place.replace(" ", " usr/", 1) for target, place in files.items()}

def _merged_archive_impl(ctx):
    archive = ctx.actions.declare_file(ctx.label.name + ".a")
    merged = cc_common.merge_cc_infos(cc_infos = [library[CcInfo] for library in ctx.attr.libraries])
    objects = []
    for linker_input in merged.linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            objects.extend(library.pic_objects or library.objects)
    ctx.actions.run(
        executable = ctx.executable._merge,
        arguments = [archive.path] + [file.path for file in objects],
        inputs = objects,
        outputs = [archive],
        mnemonic = "MergedArchive",
        progress_message = "Merging the objects of {}".format(ctx.label),
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([archive]))]

merged_archive = rule(
    implementation = _merged_archive_impl,
    doc = "NAME.a, with the objects of cc_libraries and of all that they depend on in this workspace.",
    attrs = {
        "libraries": attr.label_list(mandatory = True, providers = [CcInfo]),
        "_merge": attr.label(default = ":merge_objects", allow_single_file = True, executable = True, cfg = "host"),
    },
)

def man_page(name, section, help = None, commands = None):
    """The man page pages/NAME.SECTION, from its frame in man/.

    Args:
      name: of the program.
      section: of the manual.
      help: a file with the program's --help, which gives the options.
      commands: a file with the --help of all its commands.
    """
    frame = "man/{}.{}".format(name, section)
    native.genrule(
        name = "{}_page".format(name),
        srcs = [
            frame,
            "debian/changelog",
            "//:VERSION",
        ] + [file for file in (help, commands) if file],
        outs = ["pages/{}.{}".format(name, section)],
        cmd = " ".join([
            "$(location man_page)",
            "--frame=$(location {})".format(frame),
            "--help_text=$(location {})".format(help) if help else "",
            "--commands_text=$(location {})".format(commands) if commands else "",
            "--version=$$(cat $(location //:VERSION))",
            "--date=$$(date --utc --date=@$$(dpkg-parsechangelog -l$(location debian/changelog) -STimestamp) +%F)",
            "> $@",
        ]),
        tools = ["man_page"],
    )
