#!/usr/bin/env bash
# capture_test.sh - what passes over the TAP, captured and judged by tshark: nothing malformed.
source "$(dirname "$0")/lib.sh" "$@"
space a
if ! start "$space_a" echo.log listening "$echo_server" -c "$root/config/tap.toml" --port 7; then
  fail "echo does not start"
  finish
fi
device=$(ip -n "$space_a" -o addr show to $kernel_address | awk '{ print $2 }')
start "$space_a" tshark.log "Capturing on" tshark -i "$device" -w "$work/capture" -q ||
  fail "tshark does not capture on $device"
capture=$pid
sleep 0.5
check "kernel's echo of 8 MiB over one connection" \
  inside "$space_a" python3 "$peer" echo $stack_address 7 $((8 << 20))
check "kernel's echo over 100 connections" \
  inside "$space_a" python3 "$peer" echo $stack_address 7 4096 100
check "kernel's echo of datagrams" inside "$space_a" python3 "$peer" udp $stack_address 7
check "refused connects" inside "$space_a" python3 "$peer" closed $stack_address 100 120
check "pings" inside "$space_a" ping -n -q -c 20 -i 0.01 -s 1400 $stack_address
sleep 1
stop "$capture"

packets() {
  tshark -r "$work/capture" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
    -o udp.check_checksum:TRUE -Y "$1" 2>/dev/null
}
count=$(packets "ip.src == $stack_address" | wc -l)
[ "$count" -gt 1000 ] && ok "the capture has $count packets from Pollux" ||
  fail "the capture has only $count packets from Pollux"
# The kernel writes a sum of 0 as 0xffff, for TCP too (1 of 65,536), which tshark takes for wrong.
for filter in "_ws.malformed" "ip.checksum.status == 0" \
  "tcp.checksum.status == 0 && (ip.src == $stack_address || tcp.checksum != 0xffff)" \
  "udp.checksum.status == 0" "icmp.checksum.status == 0" "tcp.options.type_invalid" \
  "ip.src == $stack_address && (frame.len > 1514)"; do
  packets "$filter" >"$work/found" 2>&1
  if [ -s "$work/found" ]; then
    fail "$(wc -l <"$work/found") packets with $filter"
    head -5 "$work/found"
  else
    ok "no packet with $filter"
  fi
done
finish
