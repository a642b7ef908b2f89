#!/usr/bin/env bash
# idle_test.sh - an idle echo server: under 64 MiB resident without hugepages, under 0.5 % of a core
# with 1,000 connections, over 30 s (10 s with CI set).
source "$(dirname "$0")/lib.sh" "$@"
space a
if ! start "$space_a" echo.log listening "$echo_server" -c "$root/config/tap.toml" --port 7; then
  fail "echo does not start"
  finish
fi
server=$pid
long=30
[ -z "${CI:-}" ] || long=10
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

# is_idle SECONDS NAME: one case: the per mille of a core that the server uses for so long.
is_idle() {
  local seconds=$1 before load
  before=$(ticks)
  sleep "$seconds"
  load=$((($(ticks) - before) * 1000 / ($(getconf CLK_TCK) * seconds)))
  [ "$load" -lt 5 ] && ok "$2: $load per mille of a core over $seconds s" ||
    fail "$2: $load per mille of a core over $seconds s, wanted under 5"
}

sleep 1
resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")
[ "$resident" -lt 65536 ] && ok "resident after the start: $resident KiB" ||
  fail "resident after the start: $resident KiB, wanted under 65536"
is_idle 5 "idle"

inside "$space_a" python3 -c "
import resource, socket, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
sockets = [socket.create_connection(('$stack_address', 7)) for _ in range(1000)]
print('connected', flush=True)
time.sleep(60)" >"$work/clients.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do grep -q connected "$work/clients.log" && break; sleep 0.1; done
check "1,000 connections" grep connected "$work/clients.log"
sleep 1
is_idle "$long" "idle with 1,000 connections"
check "and still answers" inside "$space_a" python3 "$peer" echo $stack_address 7 1000
finish
