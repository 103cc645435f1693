#!/usr/bin/env bash
# Runs promtool with the arguments, from the root of the runfiles. Its warnings count as failures.

set -euo pipefail

output=$(promtool "$@" 2>&1) || {
  printf '%s\n' "$output"
  exit 1
}
printf '%s\n' "$output"
[[ $output == *SUCCESS* ]] && ! grep -qiE 'warn|error|fail' <<<"$output"
