#!/usr/bin/env bash
# tools/install: what it puts below a prefix, takes away again, and says; and programs that are built from there.
set -euo pipefail
source tests/package/cpp_client/trial.sh

# A checkout with a build, and a Bazel that only writes down what it is asked.
CHECKOUT=$TEST_TMPDIR/checkout
mkdir -p "$CHECKOUT/bazel-bin/tools/package" "$TEST_TMPDIR/bin"
cp -RL tools "$CHECKOUT"
TAR=$CHECKOUT/bazel-bin/tools/package/installed_sdk.tar
mv "$CHECKOUT/tools/package/installed_sdk.tar" "$TAR"
mv "$CHECKOUT/tools/package/installed_services.tar" "${TAR%/*}"
cat >"$TEST_TMPDIR/bin/bazel" <<FAKE
#!/bin/sh
echo "\$@" >>"$TEST_TMPDIR/asked"
FAKE
chmod +x "$TEST_TMPDIR/bin/bazel"
: >"$CHECKOUT/tools/packages/build" # A test installs no Debian packages.
PATH=$TEST_TMPDIR/bin:$PATH
install_sdk() { run "$CHECKOUT/tools/install" "$@"; }
files_below() { (cd "$1" && find . -type f -printf '%P\n' | sort); }

PREFIX=$TEST_TMPDIR/prefix
install_sdk --prefix="$PREFIX"
expect_equal "it installs" "$status" 0
expect_contains "what it has built" "$(<"$TEST_TMPDIR/asked")" //tools/package:installed_sdk
for file in include/groupcast/{async,client,testing/fake_server}.h lib/libgroupcast.a share/doc/groupcast-sdk/LICENSE; do
  expect_contains "it names $file" "$output" "  $file"
  expect_equal "and installs it" "$(stat -c %a "$PREFIX/$file")" 644
done
installed=$(files_below "$PREFIX")
expect_equal "it names all files but the list of them" "$(grep '^  [a-z]' <<<"$output" | sort)" \
  "$(grep -v ^share/groupcast/installed/ <<<"$installed" | sed 's/^/  /')"

start_service
mv "$PREFIX" "$TEST_TMPDIR/moved" # The folder may be moved as a whole.
expect_ways_without_bazel "$TEST_TMPDIR/moved" "$TEST_TMPDIR/moved/lib/pkgconfig" \
  "$TEST_TMPDIR/moved/share/doc/groupcast-sdk/examples"
mv "$TEST_TMPDIR/moved" "$PREFIX"

# A second run, as of a later version that has other files.
tar -rf "$TAR" -C "$CHECKOUT" --transform='s,.*,share/later/file,' tools/install
install_sdk --prefix="$PREFIX" --no_build
expect_equal "a later version is installed over it" "$status" 0
expect_contains "with its new file" "$(files_below "$PREFIX")" share/later/file
tar --delete -f "$TAR" share/later/file
touch "$PREFIX/lib/of_somebody_else"
install_sdk --prefix="$PREFIX" --no_build --quiet
expect_equal "a quiet run says nothing" "$status$output" 0
expect_equal "what a version does not have any more goes away" \
  "$(files_below "$PREFIX" | grep -vx lib/of_somebody_else)" "$installed"
expect_equal "with its folder" "$(test -e "$PREFIX/share/later" || echo gone)" gone

install_sdk --prefix="$PREFIX" --uninstall
expect_equal "it uninstalls" "$status" 0
expect_equal "its own files alone" "$(files_below "$PREFIX")" lib/of_somebody_else
expect_equal "and leaves no empty folder" "$(ls "$PREFIX")" lib
install_sdk --prefix="$PREFIX" --uninstall
expect_contains "a second time there is nothing" "$output" "has installed nothing in $PREFIX"

install_sdk --prefix=/opt/groupcast --destdir="$TEST_TMPDIR/package" --no_build
expect_equal "a package's folder gets the same files" "$(files_below "$TEST_TMPDIR/package/opt/groupcast")" "$installed"
expect_contains "the text has the prefix alone" "$output" "PKG_CONFIG_PATH=/opt/groupcast/lib"

ALL=$TEST_TMPDIR/all
install_sdk --prefix="$ALL" --no_build --services
expect_equal "the services are installed too" "$status" 0
for program in bin/groupcast sbin/groupcast-{channel-server,http-gateway,websocket-service}; do
  run "$ALL/$program" --help
  expect_equal "$program runs from there" "$status" 0
done
for file in share/zsh/site-functions/_groupcast share/man/man1/groupcast.1 lib/libgroupcast.a; do
  expect_equal "$file is there" "$(stat -c %a "$ALL/$file")" 644
done
install_sdk --prefix="$ALL" --uninstall
expect_equal "and all goes away again" "$(find "$ALL" -mindepth 1)" ''

install_sdk
expect_equal "the prefix must be given" "$status" 2
install_sdk --prefx=/usr
expect_contains "the help finds what was meant" "$output" "Did you mean --prefix?"
install_sdk --prefix="$TEST_TMPDIR/ready/sub" --no_build
expect_contains "a prefix that cannot be written to is an error" "$output" "cannot be written to"
install_sdk --prefix="$TEST_TMPDIR/ready/sub" --no_build --services
expect_contains "and all of it" "$output" "--no_build --prefix=$TEST_TMPDIR/ready/sub --services"
rm "$TAR"
install_sdk --prefix="$PREFIX" --no_build
expect_contains "so is a build that is not there" "$output" "there is no build to install"

finish_tests
