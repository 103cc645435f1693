# shellcheck shell=bash disable=SC2034 # some are for the tools alone
# What every tool starts with: strict bash, where things are, and the other files of this folder.

set -euo pipefail

TOOLS=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
ROOT=$(dirname "$TOOLS")
STATE=$ROOT/.groupcast # logs and what is running; git ignores it
readonly TOOLS ROOT STATE

# shellcheck source=tools/lib/console.sh
source "$TOOLS/lib/console.sh"
# shellcheck source=tools/lib/packages.sh
source "$TOOLS/lib/packages.sh"
# shellcheck source=tools/lib/processes.sh
source "$TOOLS/lib/processes.sh"

# require_bazel_path: before anything is installed or built.
require_bazel_path() {
  [[ $ROOT != *[[:space:]]* ]] ||
    die "Bazel 4 cannot build in a path with spaces. Move the checkout; it is in"$'\n'"$ROOT"
}

# run_bazel ARGUMENT...: Bazel, in this checkout wherever the tool was called.
run_bazel() {
  (cd "$ROOT" && exec bazel "$@")
}

# source_files PATTERN...: files of the checkout that exist and are not ignored, each ended by a NUL.
source_files() {
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard -- "$@" |
    while IFS= read -rd '' file; do [[ ! -f $file ]] || printf '%s\0' "$file"; done)
}
