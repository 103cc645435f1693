"""Tries mutants of the delivery logic, each against the unit tests that reach it."""

import collections
import concurrent.futures
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

from .source import read_sources

HERE = os.path.dirname(os.path.realpath(__file__))
EQUIVALENT = os.path.join(HERE, "equivalent.txt")
SURVIVORS_MAX = 0.03

# The order gives the mutants their numbers.
PATHS = [
    "services/channel/feed.cc",
    "services/channel/feed.h",
    "services/channel/head_checks.h",
    "services/channel/repairs.cc",
    "services/channel/window.cc",
    "services/channel/window.h",
    "services/channel/zmq/channel_client.cc",
    "services/channel/zmq/head_comparison.cc",
    "services/channel/zmq/live_order.cc",
    "services/channel/zmq/publisher_link.cc",
    "services/channel/zmq/subscriptions.cc",
    "services/channel_server/broker/announcements.cc",
    "services/channel_server/broker/broker.cc",
    "services/channel_server/broker/broker_state.cc",
    "services/channel_server/broker/digests.cc",
    "services/channel_server/broker/group_index.cc",
    "services/channel_server/broker/group_index.h",
    "services/channel_server/broker/history_questions.cc",
    "services/channel_server/broker/image.cc",
    "services/channel_server/broker/key_memory.cc",
    "services/channel_server/broker/publishers.cc",
    "services/channel_server/broker/publishers.h",
    "services/channel_server/broker/reads.cc",
    "services/channel_server/broker/restorer.cc",
    "services/channel_server/broker/retention.cc",
    "services/channel_server/broker/size_order.cc",
    "services/channel_server/broker/snapshot.cc",
    "services/channel_server/broker/turn_record.cc",
    "services/channel_server/broker_log.cc",
    "services/channel_server/log/group_log.cc",
    "services/channel_server/log/log_format.cc",
    "services/channel_server/log/log_recovery.cc",
    "services/groups/history_fetcher.cc",
    "services/groups/history_reads.cc",
    "services/groups/pending_joins.cc",
    "services/groups/recent_messages.cc",
    "services/groups/recovery.cc",
    "services/groups/send_queue.cc",
]

# Unit tests of logic. Tests of sockets, files and processes take longer than they would tell.
TESTS = """
kind(cc_test, //services/channel:all + //services/channel/zmq:all +
    //services/channel_server:all + //services/channel_server/broker:all +
    //services/channel_server/log:all + //services/groups:all)
except filter("(fuzz|open_channel_test|:server_test|file_storage_test|data_directory_test)$", //services/...)
"""
SIMULATE = "//services/channel/testing:simulate"
BUILD_OPTIONS = ["--dynamic_mode=off", "--copt=-w", "--copt=-O1", "--copt=-Wno-error",
                 "--copt=-fpermissive", "--keep_going"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def read_equivalent(path=EQUIVALENT):
    """Each mutant's reason. Lines with mutants are followed by their indented reason."""
    reasons = {}
    keys = []  # that share the next reason
    has_reason = False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip() or line.startswith("#"):
                continue
            if not line.startswith(" "):
                keys = [] if has_reason else keys
                has_reason = False
                keys.append(line.rstrip("\n"))
                reasons[keys[-1]] = ""
                continue
            has_reason = True
            for key in keys:
                reasons[key] = (reasons[key] + " " + line.strip()).strip()
    return reasons


class Program:
    """A program that fails if its code is wrong."""

    def __init__(self, name, path, arguments=()):
        self.name = name
        self.command = [path, *arguments]
        self.cpu_seconds = 0.0
        self.reached = set()

    def trace(self):
        """Runs it without a mutant. Returns whether it succeeds."""
        with tempfile.NamedTemporaryFile("r") as file:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = self._run({"MUTANTS_REACHED": file.name}, 600)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.cpu_seconds = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
            self.reached = {int(line) for line in file}
        return done

    def notices(self, mutant):
        return not self._run({"MUTANT": str(mutant.number)}, 10 * self.cpu_seconds)

    # Processor time ends what turns in circles, and time what waits for ever.
    def _run(self, environment, cpu_seconds):
        def limit():
            seconds = int(cpu_seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # A folder of its own: several run at the same time.
        with tempfile.TemporaryDirectory(prefix="groupcast_mutant_") as folder:
            environment = {**os.environ, "GTEST_FAIL_FAST": "1", "GTEST_BRIEF": "1",
                           "TEST_TMPDIR": folder, **environment}
            try:
                return subprocess.run(self.command, env=environment, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                      preexec_fn=limit, timeout=60 + 10 * cpu_seconds,
                                      check=False).returncode == 0
            except subprocess.TimeoutExpired:
                return False


class Campaign:
    def __init__(self, copy, arguments):
        self._copy = copy
        self._arguments = arguments
        self._equivalent = read_equivalent()
        self._sources = read_sources(copy.path, PATHS)
        self._left_out = set()  # the keys of mutants that do not compile
        self._tests = []
        self._simulate = None

    def run(self):
        """Returns whether few enough survive."""
        chosen = [mutant for source in self._sources for mutant in source.mutants
                  if re.search(self._arguments.files, source.path)]
        if self._arguments.sample:
            choice = random.Random(self._arguments.seed).sample(
                chosen, min(self._arguments.sample, len(chosen)))
            chosen = sorted(choice, key=lambda mutant: mutant.number)
        if self._arguments.list:
            for mutant in chosen:
                print(mutant.key)
            return True
        self._build()
        self._trace()
        results = self._try_all([m for m in chosen if m.key not in self._left_out])
        return self._report(chosen, results)

    # ---- Steps.

    def _build(self):
        with open(os.path.join(HERE, "runtime.h"), encoding="utf-8") as file:
            runtime = file.read()
        query = self._copy.bazel("query", "--noshow_loading_progress", " ".join(TESTS.split()))
        targets = [line for line in query.stdout.split("\n") if line.startswith("//")]
        if query.returncode != 0 or not targets:
            sys.exit("no tests:\n" + query.stdout)
        count = sum(len(source.mutants) for source in self._sources)
        say("building %d tests with %d mutants" % (len(targets), count))
        for _ in range(10):
            for source in self._sources:
                self._copy.write(source.path, source.weave(runtime, self._left_out))
            built = self._copy.bazel("build", *BUILD_OPTIONS, *targets,
                                     *([SIMULATE] if self._arguments.worlds else []))
            if built.returncode == 0:
                break
            found = self._find_broken(built.stdout)
            if not found:
                sys.exit("it does not build:\n" + built.stdout[-10000:])
            say("%d mutants do not compile" % len(found))
            self._left_out |= found
        else:
            sys.exit("it does not build:\n" + built.stdout[-10000:])
        binaries = os.path.join(self._copy.path, "bazel-bin")
        for target in targets:
            path = target[2:].replace(":", "/")
            self._tests.append(Program(os.path.basename(path), os.path.join(binaries, path)))
        if self._arguments.worlds:
            self._simulate = Program(
                "worlds", os.path.join(binaries, SIMULATE[2:].replace(":", "/")),
                ["--seeds=%d" % self._arguments.worlds, "--threads=1"])

    def _find_broken(self, output):
        places = set(re.findall(r"(services/[\w/.]+):(\d+):\d+:\s+(?:error|  required from)", output))
        return {mutant.key for source in self._sources for mutant in source.mutants
                if (source.path, str(mutant.line)) in places} - self._left_out

    def _trace(self):
        for program in self._programs():
            if not program.trace():
                sys.exit("%s fails without any mutant" % program.name)
        self._tests.sort(key=lambda test: test.cpu_seconds)

    def _programs(self):
        return self._tests + ([self._simulate] if self._simulate else [])

    def _try(self, mutant):
        """The name of the program that notices it. None: it survives."""
        for program in self._programs():
            if mutant.number in program.reached and program.notices(mutant):
                return program.name
        return None

    def _try_all(self, mutants):
        results = self._read_state()
        left = [mutant for mutant in mutants if not results.get(mutant.key)]
        say("trying %d mutants (%d were noticed before)" % (len(left), len(mutants) - len(left)))
        state = open(self._arguments.resume, "a", encoding="utf-8") if self._arguments.resume else None
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self._arguments.jobs) as pool:
            tried = 0
            for mutant, noticed_by in zip(left, pool.map(self._try, left)):
                results[mutant.key] = noticed_by
                if state:
                    print(json.dumps([mutant.key, noticed_by]), file=state, flush=True)
                tried += 1
                if tried % 100 == 0:
                    survived = sum(1 for m in left[:tried] if not results[m.key])
                    say("%d of %d in %d s, %d survived" %
                        (tried, len(left), time.monotonic() - begin, survived))
        return results

    # What was noticed stays so. What survived is tried again, perhaps with a test that is new.
    def _read_state(self):
        if not self._arguments.resume or not os.path.isfile(self._arguments.resume):
            return {}
        with open(self._arguments.resume, encoding="utf-8") as file:
            return dict(json.loads(line) for line in file)

    def _report(self, chosen, results):
        tried = [mutant for mutant in chosen if mutant.key not in self._left_out]
        survivors = [m for m in tried if not results[m.key] and m.key not in self._equivalent]
        print("| source | mutants | noticed | equivalent | survived |\n|---|---|---|---|---|")
        rows = collections.OrderedDict()
        for mutant in tried:
            row = rows.setdefault(mutant.path, [0, 0, 0, 0])
            row[0] += 1
            row[1 if results[mutant.key] else 2 if mutant.key in self._equivalent else 3] += 1
        rows["all"] = [sum(column) for column in zip(*rows.values())]
        for path, row in rows.items():
            print("| %s | %d | %d | %d | %d (%.1f %%) |" % (path, *row, 100 * row[3] / row[0]))
        if len(chosen) != len(tried):
            print("\n%d more do not compile" % (len(chosen) - len(tried)))
        for mutant in survivors:
            print("\nsurvived, line %d: %s" % (mutant.line, mutant.key), end="")
        good = len(survivors) <= SURVIVORS_MAX * max(1, len(tried))
        # Words about a line that is not there any more, or that a test has refuted.
        known = {mutant.key for source in self._sources for mutant in source.mutants}
        for key, reason in self._equivalent.items():
            if key not in known or results.get(key) or not reason:
                good = False
                why = ("is not there" if key not in known else
                       "is noticed by " + results[key] if results.get(key) else "has no reason")
                print("\nequivalent.txt: this mutant %s: %s" % (why, key), end="")
        print("\n\n%d of %d mutants survived (%.1f %%; at most %.0f %%)" %
              (len(survivors), len(tried), 100 * len(survivors) / max(1, len(tried)),
               100 * SURVIVORS_MAX))
        return good
