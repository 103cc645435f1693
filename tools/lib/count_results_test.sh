#!/usr/bin/env bash
# count_results.js: what Bazel recorded becomes one honest line.
set -euo pipefail
source tools/lib/testing.sh

# configured LABEL, result LABEL STATUS ATTEMPT XML, completed LABEL true|false, finished NAME: one event each.
configured() {
  printf '{"id":{"targetConfigured":{"label":"%s"}},"configured":{"targetKind":"cc_test rule","testSize":"SMALL"}}\n' "$1"
}
completed() {
  printf '{"id":{"targetCompleted":{"label":"%s"}},"completed":{"success":%s}}\n' "$1" "$2"
}
result() {
  printf '{"id":{"testResult":{"label":"%s","run":1,"shard":1,"attempt":%s}},"testResult":{"status":"%s","testActionOutput":[{"name":"test.xml","uri":"file://%s"}]}}\n' \
    "$1" "$3" "$2" "$4"
}
finished() {
  printf '{"id":{"buildFinished":{}},"finished":{"exitCode":{"name":"%s"}}}\n' "$1"
}
count() {
  cat >"$TEST_TMPDIR/events.json"
  run node tools/lib/count_results.js "$TEST_TMPDIR/events.json"
}

cat >"$TEST_TMPDIR/good.xml" <<'XML'
<testsuites tests="3"><testsuite name="Feed">
  <testcase name="Orders" classname="Feed" status="run" />
  <testcase name="Says" classname="Feed" status="run"><system-out><![CDATA[<testcase name="x"><failure/></testcase>]]></system-out></testcase>
  <testcase name="Later" classname="Feed" status="notrun" result="suppressed" />
</testsuite></testsuites>
XML
cat >"$TEST_TMPDIR/bad.xml" <<'XML'
<testsuites tests="2"><testsuite name="Broker">
  <testcase name="Counts" classname="Broker" status="run" />
  <testcase name="Keeps" classname="Broker" status="run"><failure message="1 &lt; 2">text</failure></testcase>
</testsuite></testsuites>
XML

count < <(configured //a:good && completed //a:good true && result //a:good PASSED 1 "$TEST_TMPDIR/good.xml" && finished SUCCESS)
expect_equal "cases are counted, and what only looks like one in a log is not" "$output" '2 passed, 0 failed, 1 skipped'
expect_equal "and that is success" "$status" 0

count < <(configured //a:bad && completed //a:bad true && result //a:bad FAILED 1 "$TEST_TMPDIR/bad.xml" && finished TESTS_FAILED)
expect_equal "a failed case is named" "$output" $'FAILED //a:bad Broker.Keeps\n1 passed, 1 failed'
expect_equal "and that is failure" "$status" 1

count < <(configured //a:crash && completed //a:crash true && result //a:crash TIMEOUT 1 "$TEST_TMPDIR/good.xml" && finished TESTS_FAILED)
expect_equal "a test that ends badly without a failed case is one failed" "$output" $'FAILED //a:crash (TIMEOUT)\n2 passed, 1 failed, 1 skipped'

count < <(configured //a:flaky && completed //a:flaky true && result //a:flaky FAILED 1 "$TEST_TMPDIR/bad.xml" &&
  result //a:flaky PASSED 2 "$TEST_TMPDIR/good.xml" && finished SUCCESS)
expect_equal "of several attempts the last one counts" "$output" '2 passed, 0 failed, 1 skipped'

count < <(configured //a:good && configured //a:unbuilt && completed //a:unbuilt false && completed //a:good true &&
  result //a:good PASSED 1 "$TEST_TMPDIR/good.xml" && finished BUILD_FAILURE)
expect_equal "a test that was not built is one failed" "$output" $'FAILED //a:unbuilt (not built)\n2 passed, 1 failed, 1 skipped'

count < <(configured //a:good && configured //a:filtered && completed //a:good true && completed //a:filtered true &&
  result //a:good PASSED 1 "$TEST_TMPDIR/good.xml" && finished SUCCESS)
expect_equal "a test that was not asked for does not count" "$output" '2 passed, 0 failed, 1 skipped'

count < <(configured //a:good && completed //a:good true && result //a:good PASSED 1 "$TEST_TMPDIR/good.xml" && finished BUILD_FAILURE)
expect_equal "a build that failed elsewhere is one failed" "$output" $'FAILED bazel (BUILD_FAILURE)\n2 passed, 1 failed, 1 skipped'

count < <(finished NO_TESTS_FOUND)
expect_equal "no test at all is a failure" "$output" $'FAILED bazel (NO_TESTS_FOUND)\n0 passed, 1 failed'

count < <(configured //a:good && completed //a:good true && result //a:good PASSED 1 "$TEST_TMPDIR/good.xml" && printf '{"id":{"buildFin')
expect_equal "events that break off are a failure" "$output" $'FAILED bazel (no end)\n2 passed, 1 failed, 1 skipped'

finish_tests
