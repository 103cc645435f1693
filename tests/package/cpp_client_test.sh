#!/usr/bin/env bash
# The package libgroupcast-dev: programs outside of this repository are built with it, by pkg-config and by CMake, and
# speak to a service.
set -euo pipefail
source tools/lib/testing.sh
source tools/lib/console.sh
source tools/lib/processes.sh

FILES=$TEST_TMPDIR/files
dpkg-deb --extract tools/package/libgroupcast-dev.deb "$FILES"
LIB=$FILES/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
cp tests/package/cpp_client/* "$TEST_TMPDIR"

services/websocket_service/websocket_service --port=0 --workers=1 --channel=memory: \
  --ready_file="$TEST_TMPDIR/ready" >"$TEST_TMPDIR/service.log" 2>&1 &
service=$!
trap 'kill "$service" && wait "$service"' EXIT
is_ready() { [[ -e $TEST_TMPDIR/ready ]]; }
wait_until 30 is_ready || { cat "$TEST_TMPDIR/service.log"; exit 1; }
port=$(sed -n 's/.*"port": *\([0-9]*\).*/\1/p' "$TEST_TMPDIR/ready")

export PKG_CONFIG_PATH=$LIB/pkgconfig
expect_equal "pkg-config knows the version" "$(pkg-config --modversion groupcast)" "$(<VERSION)"
read -ra flags <<<"$(pkg-config --cflags --libs groupcast)"
run g++ -std=c++20 -o "$TEST_TMPDIR/by_pkg_config" "$TEST_TMPDIR/program.cc" "${flags[@]}"
expect_equal "a program builds with pkg-config" "$status$output" 0
run timeout 60 "$TEST_TMPDIR/by_pkg_config" "ws://127.0.0.1:$port"
expect_equal "and gets its message" "$output" "got: hello"

run cmake -S "$TEST_TMPDIR" -B "$TEST_TMPDIR/build" -DCMAKE_PREFIX_PATH="$FILES/usr"
expect_equal "CMake finds the package" "$status" 0
run cmake --build "$TEST_TMPDIR/build"
expect_equal "a program builds with CMake" "$status" 0
run timeout 60 "$TEST_TMPDIR/build/program" "ws://127.0.0.1:$port"
expect_equal "and gets its message" "$output" "got: hello"

# The example of the package.
run g++ -std=c++20 -fsyntax-only "$FILES/usr/share/doc/libgroupcast-dev/examples/chat.cc" "${flags[@]}"
expect_equal "the example compiles" "$status$output" 0

finish_tests
