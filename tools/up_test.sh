#!/usr/bin/env bash
# tools/up and tools/down with the real services, in a checkout of their own whose path has a space.
set -euo pipefail
source tools/lib/testing.sh

HTTP_API=$PWD/docs/http_api.md

CHECKOUT="$TEST_TMPDIR/a checkout"
mkdir -p "$CHECKOUT/bazel-bin/sdk/js" "$CHECKOUT/bazel-bin/services/http_gateway/dashboard"
cp -rL tools "$CHECKOUT/tools"
for service in channel_server websocket_service http_gateway; do
  mkdir -p "$CHECKOUT/bazel-bin/services/$service"
  ln -s "$PWD/services/$service/$service" "$CHECKOUT/bazel-bin/services/$service/$service"
done
mkdir -p "$CHECKOUT/bazel-bin/tools/groupcast"
ln -s "$PWD/tools/groupcast/groupcast" "$CHECKOUT/bazel-bin/tools/groupcast/groupcast"
# Links that leave the folder are not served.
cp -rL sdk/js/pages "$CHECKOUT/bazel-bin/sdk/js/pages"
cp -rL services/http_gateway/dashboard/pages "$CHECKOUT/bazel-bin/services/http_gateway/dashboard/pages"
UP=$CHECKOUT/tools/up DOWN=$CHECKOUT/tools/down STATE=$CHECKOUT/.groupcast
source tools/lib/console.sh
source tools/lib/processes.sh
source tools/lib/services.sh
trap '"$DOWN" --quiet' EXIT
cd / # the tools work from anywhere

service_pid() { remembered_pid "$STATE/$1.process"; }
gateway_port() { service_port http_gateway; }
http_port() { service_port websocket_service; }

# recipe NAME: this block of docs/http_api.md, for the gateway that runs here.
recipe() {
  awk -v mark="<!-- run: $1 -->" '$0 == mark { getline; inside = 1; next } /^```$/ { inside = 0 } inside' "$HTTP_API" |
    sed "s/127\.0\.0\.1:8080/127.0.0.1:$(gateway_port)/g"
}

# ask COMMAND: connects, sends one command of less than 126 bytes, and prints the answer.
ask() {
  # A shell of its own, so that timeout can end it and its connection is closed with it.
  # shellcheck disable=SC2016
  timeout 20 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
    printf "%s\r\n" "GET / HTTP/1.1" "Host: 127.0.0.1" "Connection: Upgrade" "Upgrade: websocket" \
      "Sec-WebSocket-Version: 13" "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" "" >&3
    while read -r line <&3 && [[ $line != $'"'\\r'"' ]]; do :; done
    # One frame; a mask of zeros leaves the text as it is.
    printf "\x81\x$(printf %x $((128 + ${#2})))\x00\x00\x00\x00%s" "$2" >&3
    byte() { head -c 1 <&3 | od -An -tu1; }
    byte >/dev/null # a whole text frame
    length=$(byte)
    ((length != 126)) || length=$(($(byte) * 256 + $(byte)))
    head -c "$length" <&3' ask "$(http_port)" "$1" || true
}
say_in_kept() { ask '{"cmd":"send_to_group","group_id":"kept","message":"'"$1"'","id":1}'; }
read_kept() { ask '{"cmd":"group_history","group_id":"kept","id":1}'; }
epoch_of() { grep -o '"epoch":"[^"]*"' <<<"$1"; }

# Options.
run "$UP" --help
expect_equal "--help succeeds" "$status" 0
for option in --workers --port --http_port --bind_address --allow_anonymous --config --channel_port --data_dir --no_data_dir --detach --no_build --verbose --quiet; do
  expect_contains "--help tells of $option" "$output" "$option"
done
run "$UP" --wrokers=2
expect_equal "an unknown option is refused" "$status" 2
expect_contains "by name" "$output" "there is no option --wrokers=2. Did you mean --workers?"
expect_contains "with a hint" "$output" "tools/up --help tells what there is."
run "$UP" --colour
expect_contains "without a name if none is near" "$output" $'there is no option --colour.\n'
run "$UP" --bind_adress=::1
expect_contains "another typo" "$output" "Did you mean --bind_address?"
run "$UP" stray
expect_contains "a stray argument is refused" "$output" "there is no option stray."
run "$UP" --workers=many
expect_contains "a value is checked" "$output" '--workers is a number from 1 to 255, not "many".'
run "$UP" --workers=256
expect_contains "as the service checks it" "$output" '--workers is a number from 1 to 255, not "256".'
run "$UP" --port=8000 --http_port=8000
expect_contains "the services have a port each" "$output" "port 8000 cannot be for both services"
run "$UP" --port
expect_contains "a value must be there" "$output" '--port needs a value.'
run "$UP" --data_dir=
expect_contains "a directory must be named" "$output" '--data_dir needs a directory; --no_data_dir does without one.'
run "$UP" --config=/no/such/file
expect_contains "a configuration must be there" "$output" "--config: there is no file /no/such/file that can be read."
run "$DOWN" --now
expect_contains "tools/down refuses unknown options too" "$output" "there is no option --now."

# Detached.
run "$DOWN"
expect_equal "tools/down is content when nothing runs" "$status" 0
expect_contains "and says so" "$output" "Groupcast is not running here"
run "$UP" --no_build --detach --port=0 --http_port=0 --channel-port 0 --workers=2
expect_equal "tools/up starts" "$status" 0
port=$(http_port)
expect_contains "and prints the link" "$output" "open http://127.0.0.1:$port/, join a group"
expect_contains "and the table" "$output" "1 supervisor, 2 workers"
expect_contains "with the data directory" "$output" "ready   $STATE/data"
expect_contains "and how to stop it" "$output" "tools/down stops it."
expect_equal "the service is healthy" "$(http_status 127.0.0.1 "$port" /healthz)" 200
expect_equal "the link works" "$(http_status 127.0.0.1 "$port" /)" 200
gateway=$(gateway_port)
expect_contains "and a line for HTTP" "$output" "http://127.0.0.1:$gateway/v1/groups/123/messages"
expect_contains "and the gateway in the table" "$output" "http_gateway       127.0.0.1:$gateway "
expect_equal "the metrics are there" "$(http_status 127.0.0.1 "$(admin_port http_gateway)" /metrics)" 200
expect_contains "and are printed" "$output" "Metrics: http://127.0.0.1:$(admin_port http_gateway)/metrics"
expect_contains "of all services" "$output" " http://127.0.0.1:$(admin_port websocket_service)/metrics"
expect_equal "the gateway has its channel" "$(http_status 127.0.0.1 "$gateway" /readyz)" 200
expect_contains "and prints the link to the dashboard" "$output" "http://127.0.0.1:$gateway/dashboard"
expect_equal "the dashboard works" "$(http_status 127.0.0.1 "$gateway" /dashboard/)" 200
expect_equal "and has its charts" "$(http_status 127.0.0.1 "$gateway" /dashboard/uPlot.esm.js)" 200
expect_equal "and reads groups" "$(http_status 127.0.0.1 "$gateway" /v1/groups/123/messages)" 200
http_gateway=$(service_pid http_gateway)
websocket_service=$(service_pid websocket_service)
channel_server=$(service_pid channel_server)
first=$(say_in_kept first)
expect_contains "a message is acknowledged" "$first" '"offset":1}'

run "$UP" --no_build
expect_equal "a second tools/up is refused" "$status" 1
expect_contains "and is told how to stop the first" "$output" "running already, detached. tools/down stops it."

# Another checkout would meet the port in use.
cp -r "$CHECKOUT/tools" "$TEST_TMPDIR/tools"
run "$TEST_TMPDIR/tools/up" --no_build --port=0 --http_port="$gateway"
expect_contains "a port in use by the gateway too" "$output" "choose another port with --http_port"
run "$TEST_TMPDIR/tools/up" --no_build --http_port=0 --port="$port"
expect_equal "a port in use is refused" "$status" 1
expect_contains "by its number and holder" "$output" "port $port is in use by process "
expect_contains "with a way out" "$output" "choose another port with --port"

run "$DOWN"
expect_equal "tools/down stops it" "$status" 0
expect_equal "websocket_service is gone" "$(start_time "$websocket_service")" ''
expect_equal "channel_server is gone" "$(start_time "$channel_server")" ''
expect_equal "http_gateway is gone" "$(start_time "$http_gateway")" ''
expect_equal "nothing listens any more" "$(listeners "$port")$(listeners "$gateway")" ''

# With a configuration, on an address that others can reach.
printf '{"websocket_service": {"max_message_bytes": 3}}' >"$TEST_TMPDIR/configuration.json"
run "$UP" --no_build --detach --port=0 --http_port=0 --channel-port 0 --workers=1 --bind_address=0.0.0.0
expect_equal "anyone is let in only on demand" "$status" 1
expect_contains "and what to say is told" "$output" "--allow_anonymous"
run "$UP" --no_build --detach --port=0 --http_port=0 --channel-port 0 --workers=1 --bind_address=0.0.0.0 --allow_anonymous \
  --no_data_dir --config "$TEST_TMPDIR/configuration.json"
expect_equal "tools/up starts with a configuration" "$status" 0
expect_contains "which counts" "$(say_in_kept long)" '"code":"message_too_large"'
run "$DOWN"

# What docs/http_api.md says, as it stands there. All works without the dashboard too.
rm -r "$CHECKOUT/bazel-bin/services/http_gateway/dashboard"
run "$UP" --no_build --detach --port=0 --http_port=0 --channel-port 0 --workers=2 --no_data_dir
expect_contains "a missing dashboard is told" "$output" "There is no dashboard"
pub=$(grep 'groupcast pub' <<<"$output")
run bash -c "$pub"
expect_equal "the printed line for the command line can be pasted, and publishes" "$status$output" 0
run bash -ec "$(recipe publish.sh)"
expect_equal "its curl publishes" "$status" 0
expect_contains "and tells the place" "$output" '"offset":'
run bash -ec "$(recipe groups.sh)"
expect_contains "its curl lists groups" "$output" '"groups":[]'
mapfile -t first_lines < <(recipe first)
# shellcheck disable=SC2086 # a command and its options
${first_lines[0]} --silent >"$TEST_TMPDIR/stream" &
stream=$!
wait_until 30 grep -q 'event: joined' "$TEST_TMPDIR/stream"
run bash -ec "${first_lines[1]}"
expect_equal "the first of them publishes" "$status" 0
wait_until 30 grep -q '"message":"hello"' "$TEST_TMPDIR/stream"
kill "$stream"
run bash -ec "${first_lines[2]}"
expect_contains "the last of them reads it" "$output" '"message":"hello"'
run "$DOWN"

# IPv6, with brackets around the address as in a URL.
if [[ -e /proc/net/if_inet6 ]] && grep -q '^0*1 ' /proc/net/if_inet6; then
  run "$UP" --no_build --detach --port=0 --http_port=0 --channel-port 0 --workers=1 '--bind_address=[::1]'
  expect_equal "tools/up starts on IPv6" "$status" 0
  expect_contains "and prints a link that can be pasted" "$output" "open http://[::1]:$(http_port)/, join a group"
  expect_contains "and the table too" "$output" "websocket_service  [::1]:$(http_port) "
  expect_equal "the link works" "$(http_status ::1 "$(http_port)" /)" 200
  run "$DOWN"
fi

# In the foreground. (A shell script's background job ignores SIGINT unless it is told not to.)
start_in_foreground() {
  rm -f "$TEST_TMPDIR/up.log"
  env --default-signal=INT "$UP" --no_build --port=0 --http_port=0 --channel_port=0 >"$TEST_TMPDIR/up.log" 2>&1 </dev/null &
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
kept=$(read_kept)
expect_contains "messages survive tools/down and tools/up" "$kept" '"messages":[{"message":"first","offset":1,'
expect_equal "in the same epoch" "$(epoch_of "$kept")" "$(epoch_of "$first")"
expect_contains "and the order goes on" "$(say_in_kept second)" '"offset":2}'
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
kept=$(read_kept)
expect_contains "messages survive kill -9" "$kept" '{"message":"second","offset":2,"previous":1,'
expect_equal "in the same epoch" "$(epoch_of "$kept")" "$(epoch_of "$first")"
kill -KILL "$up"
wait "$up" 2>/dev/null || true
run "$DOWN"
expect_equal "after kill -9 of tools/up, tools/down stops the rest" "$(start_time "$websocket_service")$(start_time "$channel_server")$(service_pid http_gateway)" ''

# Other places for the messages.
cd "$TEST_TMPDIR"
run "$UP" --no_build --detach --port=0 --http_port=0 --channel_port=0 --workers=1 --data-dir='other data'
expect_contains "--data_dir is where the messages are" "$output" "ready   $PWD/other data"
expect_contains "not those of before" "$(read_kept)" '"messages":[]'
expect_equal "a log is there" "$(ls 'other data')" log-0000000000000001
"$DOWN" --quiet
run "$UP" --no_build --detach --port=0 --http_port=0 --channel_port=0 --workers=1 --no_data_dir
expect_contains "there need be none" "$output" "memory alone"
expect_contains "which works" "$(say_in_kept gone)" '"offset":1}'
"$DOWN" --quiet
run "$UP" --no_build --detach --port=0 --http_port=0 --channel_port=0 --data_dir="$CHECKOUT/tools"
expect_equal "somebody else's directory is refused" "$status" 1
expect_contains "with the reason" "$output" "is not a data directory of the channel server"
expect_equal "and nothing is left running" "$(service_pid http_gateway)$(service_pid websocket_service)$(service_pid channel_server)" ''

finish_tests
