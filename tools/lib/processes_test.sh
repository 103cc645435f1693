#!/usr/bin/env bash
# processes.sh: processes are told from strangers, and ports in use are found with their holders.
set -euo pipefail
source tools/lib/testing.sh
source tools/lib/console.sh
source tools/lib/processes.sh

# A process is remembered, and known to be gone once it ended.
sleep 600 &
remember_process "$TEST_TMPDIR/sleep.process" $! "$(command -v sleep)"
runs_sleep() { [[ $(executable $!) == */sleep ]]; }
wait_until 10 runs_sleep
expect_equal "a running process is remembered" "$(remembered_pid "$TEST_TMPDIR/sleep.process")" $!

# The same pid, started at another time, is a stranger, and so is one that runs something else.
read -r pid start path <"$TEST_TMPDIR/sleep.process"
echo "$pid $((start - 1)) $path" >"$TEST_TMPDIR/earlier.process"
expect_equal "a pid of another start time is nobody" "$(remembered_pid "$TEST_TMPDIR/earlier.process")" ''
echo "$pid $start $path.other" >"$TEST_TMPDIR/other.process"
expect_equal "a pid that runs another file is nobody" "$(remembered_pid "$TEST_TMPDIR/other.process")" ''
expect_equal "no file, no process" "$(remembered_pid "$TEST_TMPDIR/none.process")" ''

stop_process "$TEST_TMPDIR/earlier.process" stranger 1
expect_equal "a stranger is not stopped" "$(remembered_pid "$TEST_TMPDIR/sleep.process")" "$pid"
stop_process "$TEST_TMPDIR/sleep.process" sleep 10
expect_equal "a stopped process is gone" "$(start_time "$pid")" ''

# What ignores SIGTERM is killed when its time is over.
bash -c "trap '' TERM; : >'$TEST_TMPDIR/ignores'; while :; do sleep 600 & wait; done" &
stubborn=$!
remember_process "$TEST_TMPDIR/stubborn.process" "$stubborn" "$(command -v bash)"
wait_until 10 test -e "$TEST_TMPDIR/ignores"
its_child=$(tr -d ' ' <"/proc/$stubborn/task/$stubborn/children")
run stop_process "$TEST_TMPDIR/stubborn.process" "the stubborn one" 1
kill "$its_child"
expect_equal "what ignores SIGTERM is killed" "$(start_time "$stubborn")" ''
expect_contains "and that is said" "$output" "the stubborn one (process $stubborn) did not end within 1 s"

# Sockets as the kernel lists them: 1234 on 127.0.0.1, 2206 on everything, 80 on 10.0.0.1, and 2207 on the IPv6
# wildcard; 2208 is a connection, not a listener.
mkdir "$TEST_TMPDIR/net"
cat >"$TEST_TMPDIR/net/tcp" <<'LIST'
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:04D2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0000000000000000 100 0 0 10 0
   1: 00000000:089E 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 1002 1 0000000000000000 100 0 0 10 0
   2: 0100000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1003 1 0000000000000000 100 0 0 10 0
   3: 0100007F:08A0 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1004 1 0000000000000000 100 0 0 10 0
LIST
cat >"$TEST_TMPDIR/net/tcp6" <<'LIST'
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:089F 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1005 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1006 1 0000000000000000 100 0 0 10 0
LIST
export PROC_NET=$TEST_TMPDIR/net
expect_equal "a listener on our address" "$(port_listener 127.0.0.1 1234)" '1001 0'
expect_equal "a listener on all addresses" "$(port_listener 127.0.0.1 2206)" '1002 33'
expect_equal "a listener on all IPv6 addresses" "$(port_listener 127.0.0.1 2207)" '1005 0'
expect_equal "a listener on another address leaves ours free" "$(port_listener 127.0.0.1 80)" ''
expect_equal "but keeps us from all addresses" "$(port_listener 0.0.0.0 80)" '1003 0'
expect_equal "a connection is no listener" "$(port_listener 127.0.0.1 2208)" ''
expect_equal "a listener on the IPv6 loopback address" "$(port_listener ::1 81)" '1006 0'
expect_equal "leaves that of IPv4 free" "$(port_listener 127.0.0.1 81)" ''
expect_equal "and the other way round" "$(port_listener ::1 1234)" ''
expect_equal "a URL has brackets around IPv6" "$(host_port ::1 80) $(host_port 127.0.0.1 80)" '[::1]:80 127.0.0.1:80'
expect_equal "a free port" "$(port_listener 127.0.0.1 9999)" ''
unset PROC_NET

# A socket of this very shell; UDP, so that nobody needs to listen.
exec {socket}<>/dev/udp/127.0.0.1/9
inode=$(readlink "/proc/$$/fd/$socket")
inode=${inode#socket:[}
expect_contains "the holder of a socket is named" "$(socket_holder "${inode%]}" 0)" "process $$ (bash "
exec {socket}>&-
expect_equal "a socket that only its user is known of" "$(socket_holder 0 0)" 'a process of user root'

finish_tests
