#!/usr/bin/env bash
# input_test.sh - bad input: each mistake ends with a message one can act on, or is borne.
source "$(dirname "$0")/lib.sh" "$@"
space a
tap=$root/config/tap.toml
run() { ip netns exec "$space_a" "$echo_server" --port 7 "$@"; }
file() { printf '%s\n' "$@" >"$work/bad.toml"; echo "$work/bad.toml"; }

says "unknown key names the nearest" 'did you mean "?busy_poll_budget' \
  ip netns exec "$space_a" "$echo_server" -c "$(file '[stack]' 'busy_pol_budget = 1')"
says "unknown section" 'did you mean "?tcp' \
  ip netns exec "$space_a" "$echo_server" -c "$(file '[tpc]' 'sack = true')"
says "not TOML: the line" 'bad.toml:2' \
  ip netns exec "$space_a" "$echo_server" -c "$(file '[stack]' 'packets = = 1')"
says "a value out of range: the range" 'whole number from' \
  ip netns exec "$space_a" "$echo_server" -c "$(file '[stack]' 'packets = -1')"
says "no such file" 'no such file|(cannot|could not) (be )?(open|read)' \
  ip netns exec "$space_a" "$echo_server" -c "$work/none.toml"
says "a port without a device" 'device' ip netns exec "$space_a" "$echo_server" \
  -c "$(file '[[port]]' 'addresses = ["198.18.0.2/24"]')"
says "an unknown driver" 'net_nonsense0' ip netns exec "$space_a" "$echo_server" \
  -c "$(file '[[port]]' 'device = "net_nonsense0"' 'addresses = ["198.18.0.2/24"]')"
says "a device that is not there" 'absent0' ip netns exec "$space_a" "$echo_server" -c \
  "$(file '[[port]]' 'device = "net_af_packet0,iface=absent0"' 'addresses = ["198.18.0.2/24"]')"
says "no permission for a TAP" 'permi|root|privilege|CAP_NET_ADMIN' ip netns exec "$space_a" \
  setpriv --bounding-set=-net_admin "$echo_server" -c "$tap"
says "too few descriptors" 'too many open files|RLIMIT_NOFILE|ulimit' \
  ip netns exec "$space_a" bash -c "ulimit -n 8; exec '$echo_server' -c '$tap'"

if start "$space_a" first.log listening "$echo_server" -c "$tap" --port 7; then
  says "the TAP is in use by another process" 'belongs to process [0-9]+ \(echo\)' \
    ip netns exec "$space_a" "$echo_server" -c "$tap"
  check "and the first is unharmed" inside "$space_a" python3 "$peer" echo $stack_address 7 1000
  stop "$pid"
else
  fail "echo does not start"
fi
says "an address that is not the stack's" 'assign|not available|EADDRNOTAVAIL' \
  ip netns exec "$space_a" "$echo_server" -c "$tap" --address 198.18.9.9
says "the kernel's end has the stack's address" 'in use|conflict|same address|198\.18\.0\.2' \
  ip netns exec "$space_a" "$echo_server" -c "$tap" \
  --set 'port.tap0.kernel_address="198.18.0.2/24"'

# borne NAME COMMAND SETTINGS...: a server with little must refuse, count and go on, not die.
borne() {
  local name=$1 command=$2
  shift 2
  if ! start "$space_a" borne.log listening "$echo_server" -c "$tap" --port 7 "$@"; then
    fail "$name: echo does not start"
    return
  fi
  ip netns exec "$space_a" timeout 20 bash -c "$command" >/dev/null 2>&1
  check "$name: it still echoes" \
    inside "$space_a" python3 "$peer" echo $stack_address 7 1000
  kill -0 "$pid" 2>/dev/null && ok "$name: it still runs" || fail "$name: it died"
  stop "$pid"
}

hold="import socket, time
sockets = []
for _ in range(200):
    one = socket.socket()
    one.settimeout(0.05)
    sockets.append(one)
    try:
        one.connect(('$stack_address', 7))
        one.sendall(b'x' * 100000)
    except OSError:
        pass
time.sleep(1)"
borne "stack's descriptor limit" "python3 -c \"$hold\"" --set stack.descriptors=32
borne "stack's connection limit" "python3 -c \"$hold\"" --set stack.connections=32
borne "packet pool exhausted" "python3 -c \"$hold\"" --set stack.packets=1023 \
  --set port.tap0.descriptors=128
# fault-garbage.
borne "malformed packets" "python3 $here/malformed.py 20000" --set stack.packets=2047
finish
