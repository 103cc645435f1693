# shellcheck shell=bash
# The services as tools/up starts them and tools/down stops them. Sourced after tool.sh.
#
# .groupcast/ has, for each service, NAME.process (see processes.sh), NAME.ready (the port, written by
# the service once it can be used) and NAME.log; and up.process while a tools/up is in charge.

# Longer than the services give themselves to drain.
readonly STOP_SECONDS=15

# The clients' sides first, so that their drains still have a channel.
readonly SERVICES=(http_gateway websocket_service channel_server)

# start_service NAME ARGUMENT...: in a session of its own, so that the terminal's Ctrl-C and hang-up
# reach tools/up alone, which knows the order in which to stop.
start_service() {
  local name=$1
  shift
  local binary=$ROOT/bazel-bin/services/$name/$name
  rm -f "$STATE/$name.ready"
  setsid "$binary" --ready_file="$STATE/$name.ready" "$@" </dev/null >"$STATE/$name.log" 2>&1 &
  remember_process "$STATE/$name.process" $! "$binary"
}

# service_port NAME: the port in its ready file.
service_port() {
  sed -n 's/.*"port": *\([0-9]*\).*/\1/p' "$STATE/$1.ready"
}

# admin_port NAME: the same, for its admin port.
admin_port() {
  sed -n 's/.*"admin_port": *\([0-9]*\).*/\1/p' "$STATE/$1.ready"
}

# is_settled NAME: it is ready, or it has ended.
is_settled() {
  [[ -e $STATE/$1.ready ]] && return
  local pid start
  read -r pid start _ <"$STATE/$1.process"
  [[ $(start_time "$pid") != "$start" ]]
}

# await_service NAME: until it is ready; complains with the end of its log if it does not become so.
await_service() {
  if ! wait_until 30 is_settled "$1"; then
    complain "$1 was not ready within 30 s. Its last words:"
  elif [[ -e $STATE/$1.ready ]]; then
    return 0
  else
    complain "$1 ended while starting. Its last words:"
  fi
  last_words "$1"
  return 1
}

last_words() {
  tail -n 20 "$STATE/$1.log" | sed 's/^/  | /' >&2
  printf '  (all of it: %s)\n' "$STATE/$1.log" >&2
}

# service_is_running NAME
service_is_running() {
  [[ -n $(remembered_pid "$STATE/$1.process") ]]
}

# any_service_is_running: one of them at least.
any_service_is_running() {
  local name
  for name in "${SERVICES[@]}"; do
    ! service_is_running "$name" || return 0
  done
  return 1
}

# stop_services: in their order.
stop_services() {
  local name
  for name in "${SERVICES[@]}"; do
    stop_process "$STATE/$name.process" "$name" "$STOP_SECONDS"
    rm -f "$STATE/$name.ready"
  done
}

kill_services() {
  local name pid
  for name in "${SERVICES[@]}"; do
    pid=$(remembered_pid "$STATE/$name.process")
    [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
  done
}
