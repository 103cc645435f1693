#!/usr/bin/env bash
# docs/command_line.md has the help of each command, as the program prints it.
#
#   document_test.sh --write    writes the help into the document of the checkout instead
set -euo pipefail

# with_help DOCUMENT: the document with the help that the program prints now.
with_help() {
  local line command skips=''
  while IFS= read -r line; do
    if [[ $line =~ ^'<!-- help: '(.*)' -->'$ ]]; then
      command=${BASH_REMATCH[1]}
      skips=yes
      # shellcheck disable=SC2086 # a command has several words
      printf '%s\n```text\n%s\n' "$line" "$("$GROUPCAST" ${command#groupcast} --help)"
    elif [[ $skips && $line == '```' ]]; then
      skips=''
    fi
    [[ $skips ]] || printf '%s\n' "$line"
  done <"$1"
}

# commands [COMMAND]: all commands of the program, one a line.
commands() {
  local name
  printf 'groupcast%s\n' "${1:+ $1}"
  # The list of commands is the second paragraph after the summary.
  # shellcheck disable=SC2086
  "$GROUPCAST" ${1-} --help | awk 'BEGIN { RS = "" } NR == 2 && / COMMAND/ { has = 1 } NR == 3 && has' |
    awk '{ print $1 }' | while read -r name; do commands "${1:+$1 }$name"; done
}

if [[ ${1-} == --write ]]; then
  cd "$(dirname "$(readlink -f "$0")")/../.."
  GROUPCAST=bazel-bin/tools/groupcast/groupcast
  text=$(with_help docs/command_line.md)
  printf '%s\n' "$text" >docs/command_line.md
  exit
fi

GROUPCAST=tools/groupcast/groupcast
source tools/lib/testing.sh
run diff -u docs/command_line.md <(with_help docs/command_line.md)
expect_equal "the document has the help of the program (tests/command_line/document_test.sh --write mends it)" \
  "$output" ''
expect_equal "of every command" \
  "$(sed -n 's/^<!-- help: \(.*\) -->$/\1/p' docs/command_line.md | sort)" "$(commands | sort)"
finish_tests
