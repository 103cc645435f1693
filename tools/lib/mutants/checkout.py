"""A copy of the checkout, with a Bazel of its own. The checkout stays as it is."""

import os
import shutil
import subprocess
import sys
import tempfile

# It is in a folder that this tool has made, and may therefore empty.
MARK = "made_by_tools_mutations"


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)


class Copy:
    """`work` is where it is made. It stays there, so that the next run builds less. None: in a
    temporary folder, which is removed."""

    def __init__(self, root, work=None):
        self._root = root
        self._keep = work is not None
        self._work = os.path.abspath(work) if work else tempfile.mkdtemp(prefix="groupcast_mutations_")
        self.path = os.path.join(self._work, "main")
        self._mark = os.path.join(self._work, MARK)
        real, real_root = os.path.realpath(self.path), os.path.realpath(root)
        if os.path.commonpath([real, real_root]) in (real, real_root):
            sys.exit("--work=%s: the copy would be in the checkout" % work)
        if os.path.exists(self.path) and not os.path.exists(self._mark):
            sys.exit("--work=%s: %s is there and not from this tool: name another folder"
                     % (work, self.path))
        self._bazel = ["bazel", "--output_base=" + os.path.join(self._work, "output")]

    def __enter__(self):
        try:
            os.makedirs(self.path, exist_ok=True)
            with open(self._mark, "w", encoding="utf-8"):
                pass
            files = run(["git", "-C", self._root, "ls-files", "-co", "--exclude-standard"]).stdout
            names = [n for n in files.split("\n") if os.path.isfile(os.path.join(self._root, n))]
            self._remove_others(set(names))
            for name in names:
                with open(os.path.join(self._root, name), "rb") as file:
                    self._write(name, file.read(), os.stat(os.path.join(self._root, name)).st_mode)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.isdir(self.path):
            run(self._bazel + ["shutdown"], cwd=self.path)
        if not self._keep:
            run(["chmod", "-R", "u+w", self._work])
            shutil.rmtree(self._work, ignore_errors=True)

    def read(self, name):
        with open(os.path.join(self.path, name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        self._write(name, text.encode())

    def bazel(self, command, *arguments):
        return run(self._bazel + [command, "--noshow_progress", *arguments], cwd=self.path)

    # A file that does not change keeps its date: Bazel need not read it again.
    def _write(self, name, data, mode=None):
        path = os.path.join(self.path, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if file.read() == data:
                    return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        if mode is not None:
            os.chmod(path, mode & 0o777)

    def _remove_others(self, names):
        for folder, folders, files in os.walk(self.path):
            folders[:] = [f for f in folders if not os.path.islink(os.path.join(folder, f))]
            for file in files:
                path = os.path.join(folder, file)
                if os.path.relpath(path, self.path) not in names:
                    os.remove(path)
