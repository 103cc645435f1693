# shellcheck shell=bash
# What the tests of the tools share: checks that name what they expected, and run to the end.

failures=0

# expect_equal WHAT ACTUAL EXPECTED
expect_equal() {
  if [[ $2 == "$3" ]]; then
    printf 'ok: %s\n' "$1"
  else
    printf 'FAILED: %s\n  expected: %q\n  actual:   %q\n' "$1" "$3" "$2"
    failures=$((failures + 1))
  fi
}

# expect_contains WHAT ACTUAL PART
expect_contains() {
  if [[ $2 == *"$3"* ]]; then
    printf 'ok: %s\n' "$1"
  else
    printf 'FAILED: %s\n  expected this to be part: %s\n  actual: %s\n' "$1" "$3" "$2"
    failures=$((failures + 1))
  fi
}

# run COMMAND...: sets `output` (both streams) and `status`.
# shellcheck disable=SC2034 # for the tests
run() {
  status=0
  output=$("$@" 2>&1) || status=$?
}

finish_tests() {
  ((failures == 0)) || exit 1
}
