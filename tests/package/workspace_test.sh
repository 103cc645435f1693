#!/usr/bin/env bash
# The lines of sdk/cpp/README.md for a Bazel workspace of one's own: they build a program, without a network, which
# speaks to a service.
set -euo pipefail
source tests/package/cpp_client/trial.sh

# The files that the C++ client is made of, as a checkout has them.
CHECKOUT=$TEST_TMPDIR/groupcast
mkdir "$CHECKOUT"
cp -RL BUILD WORKSPACE dependencies.bzl sdk third_party tools "$CHECKOUT"

# snippet FILE: the block of the README that begins with "# FILE".
snippet() {
  awk -v head="# $1" '/^```/ { inside = 0 } inside; $0 == head { inside = 1 }' sdk/cpp/README.md
}
snippet WORKSPACE | sed "s,/path/to/groupcast,$CHECKOUT," >"$PROGRAM/WORKSPACE"
for file in BUILD .bazelrc; do
  snippet "$file" >"$PROGRAM/$file"
done

# A proxy that nobody is: whatever wants to download something fails at once. --batch leaves no server behind.
export {http,https}_proxy=http://127.0.0.1:1 {HTTP,HTTPS}_PROXY=http://127.0.0.1:1
build() {
  (cd "$PROGRAM" && bazel --nohome_rc --batch --output_user_root="$TEST_TMPDIR/bazel" \
    build --jobs=2 --noshow_progress --spawn_strategy=local "$@")
}
run build //:program
expect_equal "the lines of the README build a program" "$status" 0
((status == 0)) || printf '%s\n' "$output"
start_service
expect_message "$PROGRAM/bazel-bin/program"

# A repository that the workspace has declared before stays its own.
sed -i '/^groupcast_dependencies/i\
local_repository(name = "absl", path = "own")' "$PROGRAM/WORKSPACE"
mkdir "$PROGRAM/own"
touch "$PROGRAM/own/WORKSPACE" "$PROGRAM/own/BUILD"
run build --nobuild //:program
expect_contains "the workspace's own absl is asked" "$output" "no such target '@absl//:absl_status'"

chmod -R u+w "$TEST_TMPDIR/bazel"
finish_tests
