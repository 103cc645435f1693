#!/usr/bin/env bash
# What tools/fresh_machine runs in the bare root, as the first process of its process namespace: the two
# commands of the README, as a newcomer would. Appends "STEP<tab>TIME<tab>RESULT" lines to /root/results.

# shellcheck source=tools/lib/tool.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/tool.sh"

RESULTS=/root/results
: >"$RESULTS"
failed=''

# result STEP START OUTCOME: START in microseconds, as now gives it.
result() {
  printf '%s\t%s s\t%s\n' "$1" "$(seconds_since "$2")" "$3" >>"$RESULTS"
  [[ $3 != FAILED* ]] || failed=yes
}

now() {
  printf '%s' "${EPOCHREALTIME/./}"
}

seconds_since() {
  local tenths=$((($(now) - $1) / 100000))
  printf '%s.%s' $((tenths / 10)) $((tenths % 10))
}

# start_up: tools/up as from a terminal, where Ctrl-C is SIGINT and is not ignored.
start_up() {
  setsid env --default-signal=INT "$TOOLS/up" </dev/null >/root/up.log 2>&1 &
  up=$!
}

is_up_or_gone() {
  sleep 0.2 # what is being built needs the processors more
  grep -q 'Ctrl-C stops it' /root/up.log || ! kill -0 "$up" 2>/dev/null
}

# processes_left: what still runs here, but for this script and Bazel's build server.
processes_left() {
  local pid path
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    path=$(executable "$pid")
    # What ends while we look has no executable any more.
    [[ -n $path && $pid != "$$" && $pid != "$BASHPID" ]] || continue
    [[ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) != bazel\(* ]] || continue
    printf '%s ' "$path"
  done
}

# try_up STEP: starts it, looks at the link, stops it with Ctrl-C, and sees that nothing is left.
try_up() {
  local start left outcome
  start=$(now)
  start_up
  wait_until 3600 is_up_or_gone || true
  cat /root/up.log
  if ! kill -0 "$up" 2>/dev/null; then
    result "$1" "$start" FAILED
    return
  fi
  result "$1: until it answers" "$start" ok

  start=$(now)
  outcome=$(http_status 127.0.0.1 1234 /)
  if [[ $outcome == 200 ]]; then outcome=ok; else outcome="FAILED, status $outcome"; fi
  result "the link http://127.0.0.1:1234/" "$start" "$outcome"

  start=$(now)
  kill -INT "$up"
  outcome=ok
  wait "$up" || outcome="FAILED, exit code $?"
  left=$(processes_left)
  [[ -z $left ]] || outcome="FAILED, left: $left"
  result "Ctrl-C, until no process is left" "$start" "$outcome"
}

try_test() {
  local start outcome last
  start=$(now)
  outcome=FAILED
  if "$TOOLS/test" </dev/null | tee /root/test.log; then outcome=ok; fi
  last=$(tail -n 1 /root/test.log)
  [[ $last =~ ^[1-9][0-9]*\ passed,\ 0\ failed ]] || outcome=FAILED
  result "tools/test" "$start" "$outcome: $last"
}

try_up "tools/up, first run"
try_up "tools/up, second run"
try_test
[[ -z $failed ]]
