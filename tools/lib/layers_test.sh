#!/usr/bin/env bash
# tools/layers refuses what ARCHITECTURE.md forbids.
set -euo pipefail
source tools/lib/testing.sh

graph=$TEST_TMPDIR/graph

# look EDGE...: runs it on a graph with these edges, "A B" each.
look() {
  local edge
  {
    printf 'digraph mygraph {\n'
    for edge; do printf '  "%s"\n  "%s" -> "%s"\n' "${edge% *}" "${edge% *}" "${edge#* }"; done
    printf '}\n'
  } >"$graph"
  run python3 tools/layers --graph "$graph"
}

# allows EDGE
allows() {
  look "$1"
  expect_equal "allowed: $1" "$status" 0
}

# refuses EDGE REASON
refuses() {
  look "$1"
  expect_equal "refused: $1" "$status" 1
  expect_contains "  because" "$output" "$2"
}

allows '//services/groups:group_service //services/protocol:command'
allows '//services/websocket_service/wire:frame //services/websocket_service/http:http'
allows '//services/channel/zmq:zmq_channel @zmq//:cppzmq'
allows '//services/channel/testing:world //services/channel_server/broker:broker'
allows '//services/common:clock //tools/sanitizers:suppressions'
allows '//tests/faults:chaos //services/channel:wire'

refuses '//services/common:clock //services/channel:wire' 'services/common may depend on nothing else'
refuses '//services/groups:group_service //services/websocket_service/wire:frame' 'services/groups may depend on'
refuses '//services/channel_server:server //services/websocket_service:worker' 'channel_server may depend on'
refuses '//services/websocket_service:worker //services/channel/testing:world' 'websocket_service may depend on'
refuses '//services/process:supervisor //services/channel:channel' 'services/process may depend on'
refuses '//services/groups:group_service @zmq//:libzmq' 'is for services/channel/zmq'
refuses '//services/protocol:command @boost//:beast' 'is for services/websocket_service'
refuses '//sdk/cpp/groupcast:client //services/common:clock' 'sdk may depend on'
refuses '//services/new_room:thing //services/common:clock' 'is in no layer'

# A check that looks at nothing must not pass.
run python3 tools/layers --graph /dev/null
expect_equal "refused: no graph at all" "$status" 1

finish_tests
