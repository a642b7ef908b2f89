#!/usr/bin/env bash
# idle_test.sh - an idle echo server: under 64 MiB resident without hugepages, under 1 % of a core.
source "$(dirname "$0")/lib.sh" "$@"
space a
if ! start "$space_a" echo.log listening "$echo_server" -c "$root/config/tap.toml" --port 7; then
  fail "echo does not start"
  finish
fi
server=$pid
seconds=5
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

# Prints the per mille of a core that the server uses for some seconds.
load_permille() {
  local before after
  before=$(ticks)
  sleep $seconds
  after=$(ticks)
  echo $(((after - before) * 1000 / ($(getconf CLK_TCK) * seconds)))
}

sleep 1
resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")
[ "$resident" -lt 65536 ] && ok "resident after the start: $resident KiB" ||
  fail "resident after the start: $resident KiB, wanted under 65536"
load=$(load_permille)
[ "$load" -lt 10 ] && ok "idle: $load per mille of a core" ||
  fail "idle: $load per mille of a core, wanted under 10"

inside "$space_a" python3 -c "
import socket, time
sockets = [socket.create_connection(('$stack_address', 7)) for _ in range(100)]
print('connected', flush=True)
time.sleep(60)" >"$work/clients.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do grep -q connected "$work/clients.log" && break; sleep 0.1; done
check "100 connections" grep connected "$work/clients.log"
sleep 1
load=$(load_permille)
[ "$load" -lt 10 ] && ok "idle with 100 connections: $load per mille of a core" ||
  fail "idle with 100 connections: $load per mille of a core, wanted under 10"
check "and still answers" inside "$space_a" python3 "$peer" echo $stack_address 7 1000
finish
