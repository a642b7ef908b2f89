#!/usr/bin/env bash
# scan_test.sh - port scans: closed ports answer RST or port unreachable, the open one is found.
source "$(dirname "$0")/lib.sh" "$@"
space a
if ! start "$space_a" echo.log listening "$echo_server" -c "$root/config/tap.toml" --port 2007; then
  fail "echo does not start"
  finish
fi
scan() { inside "$space_a" nmap -n -Pn --reason --max-retries 2 "$@" $stack_address; }

scan_says() {
  local ports=$1 pattern=$2
  shift 2
  scan "$@" -p "$ports" | tee /dev/stderr | grep -Eq "$pattern"
}
check "1,000 connects to closed ports are refused" \
  inside "$space_a" python3 "$peer" closed $stack_address 1000 1999
check "connect scan: all closed" scan_says 1000-1999 \
  "(1000 closed tcp ports|All 1000 .* closed).*refused" -sT
check "SYN scan: RST from each" scan_says 1000-1999 \
  "(1000 closed tcp ports|All 1000 .* closed).*reset" -sS
check "SYN scan: the open port" scan_says 2000-2010 "^2007/tcp +open .*syn-ack" -sS
for kind in -sF -sN -sX; do
  check "$kind scan: RST from closed ports" scan_says 1000-1099 \
    "(100 closed tcp ports|All 100 .* closed).*reset" $kind
done
check "ACK scan: RST" scan_says 1000-1099 "(100 unfiltered tcp ports|All 100 .* unfiltered)" -sA
check "UDP: port unreachable" scan_says 1000-1004 "closed +.*port-unreach|5 closed udp ports" -sU
check "the server still echoes" inside "$space_a" python3 "$peer" echo $stack_address 2007 100000
finish
