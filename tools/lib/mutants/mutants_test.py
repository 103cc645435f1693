"""Weaves the mutants of tiny.cc, builds it once, and runs each."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from mutants import campaign, source  # noqa: E402

PATH = "tiny.cc"


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


class MutantsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.source = source.read_sources(HERE, [PATH])[0]
        # The checks of main are not what is checked.
        end = cls.source.text[:cls.source.text.index("int main()")].count("\n")
        cls.mutants = [m for m in cls.source.mutants if m.line < end]
        cls.program = cls.build("all", cls.source.weave(read("runtime.h"), {
            m.key for m in cls.source.mutants if m.line >= end}))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def build(cls, name, text):
        binary = os.path.join(cls.folder.name, name)
        with open(binary + ".cc", "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(["g++", "-std=c++20", "-O1", "-w", "-o", binary, binary + ".cc"], check=True)
        return campaign.Program(name, binary)

    def changes(self, line):
        """What the mutants of the line that begins so change."""
        return [m.key.split(": ")[-1] for m in self.mutants if m.key.startswith("tiny.cc: " + line)]

    def test_each_pattern_is_found_and_nothing_else(self):
        self.assertEqual(self.changes("constexpr int kMost"), ["`3` becomes `4`", "`3` becomes `2`"])
        self.assertEqual(self.changes("int low"), [])
        self.assertEqual(self.changes("bool IsKnown"), [])
        self.assertEqual(self.changes("return found"), [
            "`!=` becomes `==`", "`!=` becomes `==` (2)", "`found != known.end()` counts as true",
            '`std::strcmp(name.c_str(), "a < b") != 0` counts as true', "`0` becomes `1`"])
        self.assertEqual(self.changes("if (value < bound)"), [
            "`<` becomes `<=`", "the condition of `if` is negated", "`++count;` is dropped"])
        self.assertEqual(self.changes("return std::min"), ["`min` becomes `max`"])
        self.assertEqual(self.changes("while (number"), [
            "`>` becomes `>=`", "the condition of `while` is negated", "`1` becomes `2`",
            "`1` becomes `0`"])
        self.assertEqual(self.changes("number -= 2"), [
            "`2` becomes `3`", "`2` becomes `1`", "`number -= 2;` is dropped"])
        self.assertEqual(self.changes("case 0"), [])
        self.assertEqual(self.changes("break"), ["`break;` is dropped"])
        self.assertEqual(self.changes("if (number < 0)"), [
            "`<` becomes `<=`", "the condition of `if` is negated", "`0` becomes `1`",
            "`1` becomes `2`", "`1` becomes `0`", "`return -1;` is dropped"])

    def test_what_must_be_noticed_is_and_what_must_survive_does(self):
        self.assertTrue(self.program.trace())
        self.assertEqual(self.program.reached & {m.number for m in self.mutants},
                         {m.number for m in self.mutants})
        survivors = {m.key for m in self.mutants if not self.program.notices(m)}
        self.assertEqual(survivors, {
            "tiny.cc: int Larger(int a, int b) { return a < b ? b : a; }: `<` becomes `<=`",
            # Sign(0) has its answer already, and to leave a switch at its end needs no break.
            "tiny.cc: if (number < 0) return -1;: `<` becomes `<=`",
            "tiny.cc: if (number < 0) return -1;: `0` becomes `1`",
            "tiny.cc: break;: `break;` is dropped"})

    def test_without_a_mutant_the_program_is_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "MUTANTS_REACHED": os.path.join(folder, "reached")}
            self.assertEqual(subprocess.run(self.program.command, env=environment,
                                            check=False).returncode, 0)
        self.assertEqual(self.source.weave("", {m.key for m in self.source.mutants}).split("\n")[1:],
                         self.source.text.replace("constexpr int", "const int").split("\n"))

    def test_lines_stay_where_they_are(self):
        self.assertEqual(self.source.weave("").count("\n"), self.source.text.count("\n") + 1)

    def test_the_list_of_equivalent_mutants_has_reasons(self):
        for key, reason in campaign.read_equivalent().items():
            self.assertTrue(reason, key)
            self.assertIn(key.split(":")[0], campaign.PATHS)


if __name__ == "__main__":
    unittest.main()
