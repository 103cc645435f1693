"""MODULE.bazel has what WORKSPACE has.

Debian's Bazel cannot read MODULE.bazel. Both files and the .bzl files behind them are in the part of Starlark that is
Python too, so this runs them with rules that write down their names.
"""

import pathlib
import types
import unittest


class Recorder:
    """What a file may call, and what it has called."""

    def __init__(self):
        self.repositories = []
        self.used = []
        self.module = None
        self.extension = None

    def repository_rule(self, **_attributes):
        return lambda name, **_rest: self.repositories.append(name)

    def module_extension(self, implementation):
        return implementation

    def names(self):
        return {
            "Label": lambda label: label,
            "attr": types.SimpleNamespace(**{
                kind: lambda **_attributes: None for kind in ("label", "string", "string_list")}),
            "fail": self.fail,
            "module": lambda **attributes: setattr(self, "module", attributes),
            "module_extension": self.module_extension,
            "native": types.SimpleNamespace(
                local_repository=lambda name, path: self.repositories.append(name)),
            "repository_rule": self.repository_rule,
            "struct": lambda **fields: types.SimpleNamespace(**fields),
            "use_extension": self.use_extension,
            "use_repo": lambda _extension, *names: self.used.extend(names),
            "workspace": lambda name: None,
        }

    @staticmethod
    def fail(text):
        raise AssertionError(text)

    def run(self, path):
        names = self.names()
        # load() puts its names where they are used, as Bazel does.
        names["load"] = lambda label, *wanted: names.update(self.load(label, wanted))
        exec(compile(pathlib.Path(path).read_text(encoding="utf-8"), path, "exec"), names)
        return names

    def load(self, label, wanted):
        loaded = self.run("third_party/" + label.rpartition(":")[2])
        return {name: loaded[name] for name in wanted}

    def use_extension(self, label, name):
        self.extension = self.load(label, [name])[name]
        return self.extension


class ModuleTest(unittest.TestCase):
    def setUp(self):
        self.module = Recorder()
        self.module.run("MODULE.bazel")
        self.workspace = Recorder()
        self.workspace.run("WORKSPACE")

    def test_the_version_is_the_repositorys(self):
        version = pathlib.Path("VERSION").read_text(encoding="utf-8").strip()
        self.assertEqual(self.module.module["version"], version)
        self.assertEqual(self.module.module["name"], "groupcast")

    def test_the_extension_declares_what_the_module_uses(self):
        self.module.extension(None)
        self.assertEqual(sorted(self.module.repositories), sorted(self.module.used))
        self.assertEqual(sorted(self.module.used), self.module.used)

    def test_the_module_uses_what_the_workspace_has(self):
        of_bazel = Recorder()
        of_bazel.run("third_party/repositories.bzl")["bazel_repositories"]()
        self.assertEqual(sorted(self.module.used),
                         sorted(set(self.workspace.repositories) - set(of_bazel.repositories)))


if __name__ == "__main__":
    unittest.main()
