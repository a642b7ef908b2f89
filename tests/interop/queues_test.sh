#!/usr/bin/env bash
# queues_test.sh - four queues of a TAP and a stack for each: connections live in all of them.
source "$(dirname "$0")/lib.sh" "$@"
space a
spread=$build/tests/interop/spread
settings="stack.queues=4 stack.packets=32767"

# count NAME: of the counters that the program has printed.
count() { awk -v name="$1" '$1 == name { print $2 }' "$work/spread.log"; }

# ended: the program, with status 0.
ended() {
  for _ in $(seq 800); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.025
  done
  wait "$pid" && return 0
  echo "spread's status is not 0:"
  tail -5 "$work/spread.log"
  return 1
}

# The kernel gives a new flow to a queue by its hash. Of 200 connections each queue has some.
accepts() {
  local i
  # shellcheck disable=SC2086
  start "$space_a" spread.log listening "$spread" "$root/config/tap.toml" listen 0.0.0.0 7000 200 \
    $settings || return
  inside "$space_a" python3 "$here/many.py" connect $stack_address 7000 200 || return
  ended || return
  for i in 0 1 2 3; do
    [ "$(count "stack${i}_tcp_passive_opens")" -gt 0 ] || { echo "none in stack $i"; return 1; }
  done
  [ "$(count tcp_passive_opens)" -eq 200 ] || { echo "not 200 in all"; return 1; }
}
check "200 connections from the kernel, accepted at one socket, live in four stacks" accepts

connects() {
  start "$space_a" many.log listening python3 "$here/many.py" listen 0.0.0.0 7001 200 || return
  local peer_pid=$pid
  # shellcheck disable=SC2086
  start "$space_a" spread.log tcp_active_opens "$spread" "$root/config/tap.toml" connect \
    $kernel_address 7001 200 $settings || return
  ended || return
  wait "$peer_pid" || { echo "the peer's status is not 0"; return 1; }
  for i in 0 1 2 3; do
    [ "$(count "stack${i}_tcp_active_opens")" -eq 50 ] || { echo "not 50 of stack $i"; return 1; }
  done
}
check "200 connections to the kernel from four threads, a stack for each" connects

pings() {
  # shellcheck disable=SC2086
  start "$space_a" spread.log listening "$spread" "$root/config/tap.toml" listen 0.0.0.0 7002 4 \
    $settings || return
  inside "$space_a" ping -q -c 20 -i 0.05 $stack_address | grep -q " 20 received" || return
  inside "$space_a" python3 "$here/many.py" connect $stack_address 7002 4 || return
  ended
}
check "whichever queue an echo request comes to, it is answered" pings
finish
