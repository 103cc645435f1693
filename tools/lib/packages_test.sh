#!/usr/bin/env bash
# packages.sh: what is asked of apt-get, and what is said when it cannot be asked.
set -euo pipefail
source tools/lib/testing.sh
source tools/lib/console.sh
source tools/lib/packages.sh

TOOLS=$TEST_TMPDIR/tools
ROOT=$TEST_TMPDIR
STATE=$TEST_TMPDIR/state
mkdir -p "$TOOLS/packages" "$TEST_TMPDIR/bin"
cat >"$TOOLS/packages/one" <<'LIST'
# A comment.
libone-dev

tool-package  tool
shell         bash
LIST
echo libtwo-dev >"$TOOLS/packages/two"

expect_equal "a list, without comments and without commands that are there" \
  "$(wanted_packages one | paste -sd ' ')" 'libone-dev tool-package'

# dpkg knows libone-dev as installed and libtwo-dev as removed.
cat >"$TEST_TMPDIR/bin/dpkg-query" <<'FAKE'
#!/bin/sh
echo 'installed libone-dev'
echo 'config-files libtwo-dev'
exit 1
FAKE
# apt-get writes down what it is asked.
cat >"$TEST_TMPDIR/bin/apt-get" <<FAKE
#!/bin/sh
echo "\$@" >>"$TEST_TMPDIR/asked"
echo pmstatus:libtwo-dev:50.0:Unpacking
exit \$(cat "$TEST_TMPDIR/apt_status")
FAKE
# sudo, where there is one, wants a password.
printf '#!/bin/sh\nexit 1\n' >"$TEST_TMPDIR/bin/sudo"
chmod +x "$TEST_TMPDIR/bin/"*
PATH=$TEST_TMPDIR/bin:$PATH

expect_equal "what is missing" "$(missing_packages one two | paste -sd ' ')" 'libtwo-dev tool-package'

if ((EUID == 0)); then
  echo 0 >"$TEST_TMPDIR/apt_status"
  run install_packages one two
  expect_equal "installing succeeds" "$status" 0
  expect_contains "and says what" "$output" 'Installing 2 Debian packages: libtwo-dev tool-package'
  expect_contains "the lists are updated first" "$(head -n 1 "$TEST_TMPDIR/asked")" update
  expect_contains "then all is installed at once" "$(tail -n 1 "$TEST_TMPDIR/asked")" \
    'install --yes --no-install-recommends libtwo-dev tool-package'
  echo 100 >"$TEST_TMPDIR/apt_status"
  run install_packages one two
  expect_equal "a failed installation ends the tool" "$status" 1
  expect_contains "and says how to do it by hand" "$output" \
    'apt-get update && apt-get install --yes --no-install-recommends libtwo-dev tool-package'
else
  run install_packages one two </dev/null
  expect_equal "without a password nothing is installed" "$status" 1
  expect_contains "and the line to run is printed" "$output" \
    'sudo apt-get update && sudo apt-get install --yes --no-install-recommends libtwo-dev tool-package'
fi

rm -f "$TEST_TMPDIR/asked"
printf '#!/bin/sh\necho "installed libtwo-dev"\n' >"$TEST_TMPDIR/bin/dpkg-query"
run install_packages two
expect_equal "where nothing is missing nothing is asked or said" "$status$output" 0
expect_equal "and apt-get is left alone" "$(find "$TEST_TMPDIR" -name asked)" ''

finish_tests
