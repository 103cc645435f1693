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

# unknown_option TOOL OPTION: a usage error that names the nearest option of the tool's help.
unknown_option() {
  local nearest
  nearest=$(help | grep -oE -- '--[a-z_]+' | nearest_word "${2%%=*}")
  usage_error "$1" "there is no option $2.${nearest:+ Did you mean $nearest?}"
}

# nearest_word WORD: the line of standard input that takes the fewest edits (add, drop, replace, swap neighbours) to
# become WORD; nothing if that is more than a third of it.
nearest_word() {
  awk -v word="$1" '
    function min(a, b) { return a < b ? a : b }
    function same(i, line, j) { return substr(word, i, 1) == substr(line, j, 1) }
    function distance(line, i, j) {
      for (i = 0; i <= length(word); i++) edits[i, 0] = i
      for (j = 0; j <= length(line); j++) edits[0, j] = j
      for (i = 1; i <= length(word); i++)
        for (j = 1; j <= length(line); j++) {
          edits[i, j] = min(min(edits[i - 1, j], edits[i, j - 1]) + 1, edits[i - 1, j - 1] + !same(i, line, j))
          if (i > 1 && j > 1 && same(i, line, j - 1) && same(i - 1, line, j))
            edits[i, j] = min(edits[i, j], edits[i - 2, j - 2] + 1)
        }
      return edits[length(word), length(line)]
    }
    BEGIN { bound = length(word) / 3 + 0.01 }
    { edits_of_line = distance($0) }
    edits_of_line < bound { nearest = $0; bound = edits_of_line }
    END { if (nearest != "") print nearest }'
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
