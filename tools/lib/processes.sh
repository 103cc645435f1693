# shellcheck shell=bash
# Processes and ports, by /proc alone: a bare Debian has neither ps nor ss. Sourced after console.sh.
#
# A process that a tool has started is remembered in a file of one line, "PID START EXECUTABLE". A pid
# alone may come to name a stranger; together with the time it was started it cannot.

# start_time PID: in clock ticks since boot; nothing if there is no such process.
start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  # The command name, in brackets, may hold anything; after it the start time is the 20th field.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [[ $1 == Z ]] || printf '%s' "${20}"
}

# executable PID: the file it runs, also if that was replaced since.
executable() {
  local path
  path=$(readlink "/proc/$1/exe" 2>/dev/null) || return 0
  printf '%s' "${path% (deleted)}"
}

# remember_process FILE PID EXECUTABLE: EXECUTABLE is what it runs or is about to run.
remember_process() {
  printf '%s %s %s\n' "$2" "$(start_time "$2")" "$(readlink -f "$3")" >"$1"
}

# remembered_pid FILE: the pid, if that very process is still running.
remembered_pid() {
  local pid start path
  { read -r pid start path <"$1"; } 2>/dev/null || return 0
  [[ -n $start && $(start_time "$pid") == "$start" && $(executable "$pid") == "$path" ]] || return 0
  printf '%s' "$pid"
}

# workers SUPERVISOR: its processes that serve clients. (One more may serve the admin port.)
workers() {
  local worker name
  for worker in $(<"/proc/$1/task/$1/children"); do
    read -r name <"/proc/$worker/comm" || continue
    [[ $name == groupcast_admin ]] || printf '%s ' "$worker"
  done
}

# wait_until SECONDS COMMAND...: whether the command succeeded within that time.
wait_until() {
  local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
  shift
  until "$@"; do
    ((${EPOCHREALTIME/./} < deadline)) || return 1
    setsid sleep 0.05 # out of reach of a Ctrl-C, which would end the loop too
  done
}

# is_gone FILE: the remembered process is no more.
is_gone() {
  [[ -z $(remembered_pid "$1") ]]
}

# stop_process FILE NAME SECONDS: SIGTERM, time to drain, and SIGKILL for what is left after that.
stop_process() {
  local file=$1 name=$2 seconds=$3 pid
  pid=$(remembered_pid "$file")
  if [[ -n $pid ]]; then
    kill -TERM "$pid" 2>/dev/null || true
    if ! wait_until "$seconds" is_gone "$file"; then
      complain "$name (process $pid) did not end within $seconds s of SIGTERM; killing it."
      kill -KILL "$pid" 2>/dev/null || true
      wait_until 5 is_gone "$file" || complain "process $pid is still there."
    fi
  fi
  rm -f "$file"
}

# listeners PORT: each socket that listens on the TCP port, as "ADDRESS INODE UID"; the address in
# hexadecimal as the kernel writes it.
listeners() {
  local hex
  hex=$(printf '%04X' "$1")
  cat "${PROC_NET:-/proc/net}"/tcp "${PROC_NET:-/proc/net}"/tcp6 2>/dev/null |
    awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port {
      print substr($2, 1, length($2) - 5), $10, $8 }'
}

# port_listener ADDRESS PORT: "INODE UID" of a socket that keeps us from listening there; nothing if none.
port_listener() {
  local ours='' address inode uid
  [[ $1 != ::1 ]] || ours=00000000000000000000000001000000
  if [[ $1 =~ ^([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$ && $1 != 0.0.0.0 ]]; then
    # The kernel writes an IPv4 address as a number in the order of bytes of the machine.
    ours=$(printf '%02X%02X%02X%02X' "${BASH_REMATCH[4]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}")
  fi
  while read -r address inode uid; do
    # Everything conflicts with a wildcard address (all zeros), on either side.
    if [[ -z $ours || $address == *"$ours" || $address =~ ^0+$ ]]; then
      printf '%s %s' "$inode" "$uid"
      return
    fi
  done < <(listeners "$2")
}

# socket_holder INODE UID: who holds this socket, in words, as far as we may know.
socket_holder() {
  local descriptor pid
  descriptor=$(find /proc/[0-9]*/fd -lname "socket:\[$1\]" -print -quit 2>/dev/null || true)
  if [[ -n $descriptor ]]; then
    pid=${descriptor#/proc/}
    pid=${pid%%/*}
    printf 'process %s (%s)' "$pid" "$(tr '\0\n' ' ' <"/proc/$pid/cmdline" | sed 's/ *$//' | cut -c 1-120)"
  else
    local user
    user=$(getent passwd "$2" | cut -d : -f 1)
    printf 'a process of user %s' "${user:-$2}"
  fi
}

# host_port HOST PORT: as a URL has them, with brackets around an IPv6 host.
host_port() {
  if [[ $1 == *:* ]]; then printf '[%s]:%s' "$1" "$2"; else printf '%s:%s' "$1" "$2"; fi
}

# http_status HOST PORT PATH: the status code of a GET, or nothing.
http_status() {
  # A shell of its own, so that timeout can end it and its connection is closed with it.
  # shellcheck disable=SC2016
  timeout 5 bash -c '
    exec 3<>"/dev/tcp/$1/$2" || exit
    printf "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$3" "$4" >&3
    read -r _ status _ <&3 && printf %s "$status"' http_status "$@" "$(host_port "$1" "$2")" 2>/dev/null || true
}
