#!/usr/bin/env bash
# fast_open_test.sh - TCP Fast Open (RFC 7413) with the kernel over TAP, either side as client: the
# first connection asks for a cookie, the others carry their request in the SYN. Rows 7413-2/4.2,
# 7413-4.1, 7413-4.1.3.1.
source "$(dirname "$0")/lib.sh" "$@"
space a
run=("$tool" run -c "$root/config/tap.toml" --set tcp.fastopen=3 -- python3 -u)
kernel=(python3 -u)
end=$here/fast_open.py
ip netns exec "$space_a" sysctl -qw net.ipv4.tcp_fastopen=3 || exit 1

# said FILE SYN LATE: how many connections said that their text came with the SYN, or behind it.
said() {
  local syn late
  syn=$(grep -c '^syn$' "$work/$1")
  late=$(grep -c '^late$' "$work/$1")
  [ "$syn" -eq "$2" ] && [ "$late" -eq "$3" ] && return
  echo "$1: $syn in SYNs and $late behind them, wanted $2 and $3"
  return 1
}
# exchange ADDRESS PORT HOW SYN LATE CLIENT...: ten connections; both ends say the same of them.
exchange() {
  local address=$1 port=$2 how=$3 syn=$4 late=$5
  shift 5
  : >"$work/server.log"
  inside "$space_a" "$@" "$end" connect "$address" "$port" 10 "$how" >"$work/client.log" || return
  said client.log "$syn" "$late" && said server.log "$syn" "$late"
}

if start "$space_a" server.log listening "${run[@]}" "$end" serve 7000; then
  to_stack=("$stack_address" 7000)
  check "the kernel's sendto: a cookie, then text in the SYN" \
    exchange "${to_stack[@]}" send 9 1 "${kernel[@]}"
  check "the kernel's deferred connect" exchange "${to_stack[@]}" deferred 10 0 "${kernel[@]}"
  check "100,000 octets, of which the SYN has the first" \
    exchange "${to_stack[@]}" large 10 0 "${kernel[@]}"
  stop "$pid"
else
  fail "the stack's server does not start"
fi
if start "$space_a" server.log listening "${run[@]}" "$end" serve 7001 plain; then
  check "a listener that has not asked for it: text behind the handshake" \
    exchange "$stack_address" 7001 send 0 10 "${kernel[@]}"
  stop "$pid"
else
  fail "the stack's plain server does not start"
fi
if start "$space_a" server.log listening "${kernel[@]}" "$end" serve 7002; then
  to_kernel=("$kernel_address" 7002)
  check "the stack's sendto: a cookie, then text in the SYN" \
    exchange "${to_kernel[@]}" send 9 1 "${run[@]}"
  check "the stack's deferred connect" exchange "${to_kernel[@]}" deferred 9 1 "${run[@]}"
  check "100,000 octets from the stack" exchange "${to_kernel[@]}" large 9 1 "${run[@]}"
  stop "$pid"
else
  fail "the kernel's server does not start"
fi
finish
