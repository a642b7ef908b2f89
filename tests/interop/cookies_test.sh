#!/usr/bin/env bash
# cookies_test.sh - SYN cookies (RFC 4987 3.6) for the kernel's connections over TAP: octets both
# ways, options kept, none of the connections made otherwise. Row 4987-3.6.
source "$(dirname "$0")/lib.sh" "$@"
space a
tap=$root/config/tap.toml
spread=$build/tests/interop/spread
always=tcp.syncookies=2

# count NAME: of the counters that spread has printed.
count() { awk -v name="$1" '$1 == name { print $2 }' "$work/spread.log"; }

# with_counters CONNECTIONS SETTINGS...: that many of the kernel's, whose echoes must be right.
with_counters() {
  local connections=$1
  shift
  start "$space_a" spread.log listening "$spread" "$tap" listen 0.0.0.0 7000 "$connections" "$@" ||
    return
  inside "$space_a" python3 "$here/many.py" connect $stack_address 7000 "$connections" || return
  wait "$pid" || { echo "spread's status is not 0"; tail -5 "$work/spread.log"; return 1; }
}
is() { [ "$(count "$1")" -eq "$2" ] || { echo "$1: $(count "$1"), wanted $2"; return 1; }; }

all_by_cookies() {
  with_counters 100 "$always" || return
  is tcp_syncookies_received 100 && is tcp_passive_opens 100 && is tcp_syncookies_failed 0
}
none_by_cookies() {
  with_counters 100 || return
  is tcp_syncookies_sent 0 && is tcp_passive_opens 100
}
check "100 connections by cookies" all_by_cookies
check "100 connections with room for all: no cookies" none_by_cookies

# agreed PATTERN...: what the kernel says of a connection by a cookie (ss -i) while it is open.
agreed() {
  local pattern out
  start "$space_a" open.log open python3 -u -c "
import socket, sys, time
one = socket.create_connection(('$stack_address', 7001), timeout=10)
one.sendall(b'x' * 1000)
got = b''
while len(got) < 1000: got += one.recv(1000)
print('open', flush=True)
time.sleep(30)" || return
  out=$(inside "$space_a" ss -tinoH dport = :7001)
  stop "$pid"
  echo "$out"
  for pattern in "$@"; do
    case $pattern in
      !*) ! grep -qE "${pattern#!}" <<<"$out" || return ;;
      *) grep -qE "$pattern" <<<"$out" || return ;;
    esac
  done
}
kernel() { inside "$space_a" sysctl -qw "net.ipv4.$1"; }
both_ways() { inside "$space_a" python3 "$peer" echo $stack_address 7001 16000000; }
some_at_once() { inside "$space_a" python3 "$peer" echo $stack_address 7001 20000 50; }
without() {
  local one
  for one in "$@"; do kernel "$one=0" || return; done
  both_ways
}

if start "$space_a" echo.log listening "$echo_server" -c "$tap" --set $always --port 7001; then
  check "16 MB both ways" both_ways
  check "50 connections at once" some_at_once
  check "the kernel has its window scale, SACK and timestamps" \
    agreed "wscale:[0-9]+,[0-9]+" " sack " " ts "
  kernel tcp_ecn=1
  check "and ECN, once it asks for it" agreed "wscale:[0-9]+,[0-9]+" " sack " " ts " " ecn "
  check "without SACK: 16 MB both ways" without tcp_sack
  check "the kernel agreed upon the rest" agreed "wscale:[0-9]+,[0-9]+" "! sack " " ts "
  check "without timestamps, which carry the rest: 16 MB both ways" without tcp_timestamps
  check "the kernel agreed upon none of them" agreed "!wscale" "! sack " "! ts " "! ecn "
else
  fail "echo does not start"
fi
finish
