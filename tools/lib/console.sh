# shellcheck shell=bash disable=SC2034 # some are for the tools alone
# What the tools say and how they fail. Sourced; the caller has `set -euo pipefail`.

if [[ -t 1 && -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]]; then
  readonly BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m' ERASE=$'\r\e[K'
else
  readonly BOLD='' GREEN='' RED='' PLAIN='' ERASE=''
fi

QUIET=${QUIET-} # not empty: only errors are said

# say TEXT...: one line about what is being done.
say() {
  [[ -n $QUIET ]] || printf '%s==>%s %s\n' "$GREEN$BOLD" "$PLAIN" "$*"
}

# show: prints standard input as it is, unless quiet.
show() {
  if [[ -n $QUIET ]]; then cat >/dev/null; else cat; fi
}

# complain TEXT...: an error on standard error, lines after the first indented below it.
complain() {
  printf '%serror:%s %s\n' "$RED$BOLD" "$PLAIN" "$*" | sed '2,$s/^./       &/' >&2
}

# die TEXT...: complains and ends the tool.
die() {
  complain "$@"
  exit 1
}

# usage_error TOOL TEXT...: a command line that cannot be meant.
usage_error() {
  local tool=$1
  shift
  complain "$*"$'\n'"$tool --help tells what there is."
  exit 2
}

# table: lays out standard input, whose columns are separated by tabs; the first line is the heading.
table() {
  awk -F '\t' -v bold="$BOLD" -v plain="$PLAIN" '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }
      if (NF > columns) columns = NF }
    END {
      for (r = 1; r <= NR; r++) {
        line = ""
        for (i = 1; i <= columns; i++) line = line sprintf("  %-" width[i] "s", cell[r, i])
        sub(/ +$/, "", line)
        print r == 1 ? bold line plain : line
      }
    }'
}
