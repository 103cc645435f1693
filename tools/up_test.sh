#!/usr/bin/env bash
# tools/up and tools/down with the real services, in a checkout of their own whose path has a space.
set -euo pipefail
source tools/lib/testing.sh

CHECKOUT="$TEST_TMPDIR/a checkout"
mkdir -p "$CHECKOUT/bazel-bin/services" "$CHECKOUT/bazel-bin/sdk/js"
cp -rL tools "$CHECKOUT/tools"
for service in channel_server websocket_service; do
  ln -s "$PWD/services/$service" "$CHECKOUT/bazel-bin/services/$service"
done
cp -rL sdk/js/pages "$CHECKOUT/bazel-bin/sdk/js/pages" # links that leave the folder are not served
UP=$CHECKOUT/tools/up DOWN=$CHECKOUT/tools/down STATE=$CHECKOUT/.groupcast
source tools/lib/console.sh
source tools/lib/processes.sh
trap '"$DOWN" --quiet' EXIT
cd / # the tools work from anywhere

service_pid() { remembered_pid "$STATE/$1.process"; }
http_port() { tr -dc 0-9 <"$STATE/websocket_service.ready"; }

# Options.
run "$UP" --help
expect_equal "--help succeeds" "$status" 0
for option in --workers --port --bind_address --channel_port --detach --no_build --verbose --quiet; do
  expect_contains "--help tells of $option" "$output" "$option"
done
run "$UP" --wrokers=2
expect_equal "an unknown option is refused" "$status" 2
expect_contains "by name" "$output" "there is no option --wrokers=2."
expect_contains "with a hint" "$output" "tools/up --help tells what there is."
run "$UP" --workers=many
expect_contains "a value is checked" "$output" '--workers is a number from 1 to 1024, not "many".'
run "$UP" --port
expect_contains "a value must be there" "$output" '--port needs a value.'
run "$DOWN" --now
expect_contains "tools/down refuses unknown options too" "$output" "there is no option --now."

# Detached.
run "$DOWN"
expect_equal "tools/down is content when nothing runs" "$status" 0
expect_contains "and says so" "$output" "Groupcast is not running here"
run "$UP" --no_build --detach --port=0 --channel-port 0 --workers=2
expect_equal "tools/up starts" "$status" 0
port=$(http_port)
expect_contains "and prints the link" "$output" "open http://127.0.0.1:$port/ in two tabs"
expect_contains "and the table" "$output" "1 supervisor, 2 workers"
expect_contains "and how to stop it" "$output" "tools/down stops it."
expect_equal "the service is healthy" "$(http_status 127.0.0.1 "$port" /healthz)" 200
expect_equal "the link works" "$(http_status 127.0.0.1 "$port" /)" 200
websocket_service=$(service_pid websocket_service)
channel_server=$(service_pid channel_server)

run "$UP" --no_build
expect_equal "a second tools/up is refused" "$status" 1
expect_contains "and is told how to stop the first" "$output" "running already, detached. tools/down stops it."

# Another checkout would meet the port in use.
cp -r "$CHECKOUT/tools" "$TEST_TMPDIR/tools"
run "$TEST_TMPDIR/tools/up" --no_build --port="$port"
expect_equal "a port in use is refused" "$status" 1
expect_contains "by its number and holder" "$output" "port $port is in use by process "
expect_contains "with a way out" "$output" "choose another port with --port"

run "$DOWN"
expect_equal "tools/down stops it" "$status" 0
expect_equal "websocket_service is gone" "$(start_time "$websocket_service")" ''
expect_equal "channel_server is gone" "$(start_time "$channel_server")" ''
expect_equal "nothing listens any more" "$(listeners "$port")" ''

# In the foreground. (A shell script's background job ignores SIGINT unless it is told not to.)
start_in_foreground() {
  rm -f "$TEST_TMPDIR/up.log"
  env --default-signal=INT "$UP" --no_build --port=0 --channel_port=0 >"$TEST_TMPDIR/up.log" 2>&1 </dev/null &
  up=$!
  says_how_to_stop() { grep -q 'Ctrl-C stops it' "$TEST_TMPDIR/up.log" 2>/dev/null; }
  wait_until 30 says_how_to_stop
  websocket_service=$(service_pid websocket_service)
  channel_server=$(service_pid channel_server)
}
expect_stopped() { # STATUS_EXPECTED
  status=0
  wait "$up" || status=$?
  output=$(<"$TEST_TMPDIR/up.log")
  expect_equal "tools/up ends with $1" "$status" "$1"
  expect_equal "websocket_service is gone" "$(start_time "$websocket_service")" ''
  expect_equal "channel_server is gone" "$(start_time "$channel_server")" ''
}

start_in_foreground
kill -INT "$up"
expect_stopped 0
expect_contains "Ctrl-C stops it" "$output" "Stopped."

start_in_foreground
run "$DOWN"
expect_contains "tools/down stops one in the foreground too" "$output" "Stopping the tools/up that runs as process $up"
expect_stopped 0

start_in_foreground
kill -KILL "$channel_server"
expect_stopped 1
expect_contains "a service that dies is named" "$output" "channel_server has ended unexpectedly."

start_in_foreground
kill -KILL "$up"
wait "$up" 2>/dev/null || true
run "$DOWN"
expect_equal "after kill -9 of tools/up, tools/down stops the rest" "$(start_time "$websocket_service")$(start_time "$channel_server")" ''

finish_tests
