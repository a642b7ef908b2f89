#!/usr/bin/env bash
# ping_test.sh - ping over TAP in both directions: no loss in 1,000, quick start, every size.
source "$(dirname "$0")/lib.sh" "$@"
space a
tap=$root/config/tap.toml

# The time from the start of the program to the first answer that the kernel's ping gets.
first_answer_within_a_second() {
  local before after
  before=$(date +%s%N)
  ip netns exec "$space_a" "$echo_server" -c "$tap" >"$work/echo.log" 2>&1 &
  pids+=($!)
  until inside "$space_a" ping -n -q -c 1 -W 0.05 -i 0.01 $stack_address >/dev/null 2>&1; do
    after=$(date +%s%N)
    [ $((after - before)) -lt 5000000000 ] || break
    sleep 0.01
  done
  after=$(date +%s%N)
  echo "first answer after $(((after - before) / 1000000)) ms"
  [ $((after - before)) -lt 1000000000 ]
}

if first_answer_within_a_second >"$work/first.log"; then
  ok "start: $(cat "$work/first.log")"
else
  fail "start: $(cat "$work/first.log"), wanted under 1000 ms"
fi
lossless() {
  inside "$space_a" ping -n -q "$@" $stack_address | tee /dev/stderr | grep -q ' 0% packet loss'
}
check "kernel pings Pollux 1,000 times" lossless -c 1000 -i 0.002 -W 1
for size in 0 1 8 1400 1472; do
  check "kernel pings with $size octets" lossless -c 5 -i 0.01 -s $size -M do
done
check "kernel pings with 4000 octets, fragmented" lossless -c 5 -i 0.01 -s 4000
check "no answer for an address that is nobody's" \
  bash -c "! ip netns exec $space_a ping -n -q -c 2 -i 0.05 -W 0.2 198.18.0.77"
stop "${pids[0]}"
status=$?
[ $status -eq 0 ] && ok "SIGTERM ends the server with status 0" || fail "SIGTERM: status $status"

answers() {
  inside "$space_a" "$tool" ping -c "$tap" "$@" | tee /dev/stderr | grep -Eq ' 0(\.0*)? ?% '
}
check "Pollux pings the kernel 1,000 times" answers --count 1000 --interval 0.002 $kernel_address
start "$space_a" http.log listening python3 -u -c "
import socket
server = socket.create_server(('0.0.0.0', 9000))
print('listening', flush=True)
while True: server.accept()[0].close()"
check "Pollux times TCP connects to the kernel" answers --count 20 --interval 0.01 --tcp 9000 \
  $kernel_address
finish
