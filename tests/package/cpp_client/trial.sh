# shellcheck shell=bash
# What the tests of the ways to the C++ client share: a user's program, which is built in a folder of its own and speaks
# to a real service. Sourced by tests, which then end with finish_tests.

source tools/lib/testing.sh
source tools/lib/console.sh
source tools/lib/processes.sh

PROGRAM=$TEST_TMPDIR/program
mkdir "$PROGRAM"
cp tests/package/cpp_client/{CMakeLists.txt,program.cc} "$PROGRAM"

# start_service: until the test ends. Sets URL.
start_service() {
  services/websocket_service/websocket_service --port=0 --workers=1 --channel=memory: \
    --ready_file="$TEST_TMPDIR/ready" >"$TEST_TMPDIR/service.log" 2>&1 &
  service=$!
  trap 'kill "$service" && wait "$service"' EXIT
  wait_until 30 test -e "$TEST_TMPDIR/ready" || { cat "$TEST_TMPDIR/service.log"; exit 1; }
  URL=ws://127.0.0.1:$(sed -n 's/.*"port": *\([0-9]*\).*/\1/p' "$TEST_TMPDIR/ready")
}

# expect_message COMMAND...: the program gets the message that it sends.
expect_message() {
  run timeout 60 "$@" "$URL"
  expect_equal "and gets its message" "$output" "got: hello"
}

# expect_ways_without_bazel PREFIX PKG_CONFIG_FOLDER EXAMPLES: the client below PREFIX can be used.
expect_ways_without_bazel() {
  local flags header examples=$3
  export PKG_CONFIG_PATH=$2
  expect_equal "pkg-config knows the version" "$(pkg-config --modversion groupcast)" "$(<VERSION)"
  read -ra flags <<<"$(pkg-config --cflags --libs groupcast)"
  run g++ -std=c++20 -o "$PROGRAM/by_pkg_config" "$PROGRAM/program.cc" "${flags[@]}"
  expect_equal "a program builds with pkg-config" "$status$output" 0
  expect_message "$PROGRAM/by_pkg_config"

  run cmake -S "$PROGRAM" -B "$PROGRAM/build" -DCMAKE_PREFIX_PATH="$1"
  expect_equal "CMake finds the package" "$status" 0
  run cmake --build "$PROGRAM/build"
  expect_equal "a program builds with CMake" "$status" 0
  expect_message "$PROGRAM/build/program"

  for header in groupcast/{async,client,testing/fake_server}.h; do
    run g++ -std=c++20 -M -x c++ "$1/include/$header" "-I$1/include"
    expect_contains "$header can be read" "$output" "absl/status/status.h"
    expect_equal "and includes no header of Boost" "$(grep -o 'boost/[^ ]*' <<<"$output" || true)" ''
  done
  run g++ -std=c++20 -fsyntax-only "$examples/chat.cc" "${flags[@]}"
  expect_equal "the chat compiles" "$status$output" 0
  run g++ -std=c++20 -o "$PROGRAM/greeter_test" "$examples/greeter_test.cc" "${flags[@]}" -lgtest -lgtest_main
  expect_equal "a program's own test builds" "$status$output" 0
  run timeout 60 "$PROGRAM/greeter_test"
  expect_contains "and runs with a server in its memory" "$output" "PASSED"
}
