#!/usr/bin/env bash
# apps_test.sh - every program over a TAP device against the kernel, in a namespace of its own.
#
# usage: apps_test.sh HTTP ECHO POLLUX README_EXAMPLE   (from the root of the checkout)
# Exit status 77: skipped. With CI set nothing is skipped.
set -u
http=$1 echo=$2 tool=$3 example=$4
stack=198.18.0.2 kernel=198.18.0.1
space=pollux-apps-$$
work=$(mktemp -d)
server_pid="" passed=0 failed=0

stop_server() {
  [ -n "$server_pid" ] || return 0
  kill -TERM "$server_pid" 2>/dev/null
  wait "$server_pid"
  local status=$?
  server_pid=""
  return $status
}

clean_up() {
  stop_server 2>/dev/null
  ip netns del "$space" 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT

if [ "$(id -u)" != 0 ] || [ ! -e /dev/net/tun ] || ! ip netns add "$space"; then
  echo "skipped: needs root, /dev/net/tun and network namespaces"
  [ -n "${CI:-}" ] && exit 1
  echo "0 passed, 0 failed, 1 skipped"
  exit 77
fi
ip -n "$space" link set lo up
ip netns exec "$space" sh -c 'echo 0 0 >/proc/sys/net/ipv4/ping_group_range'

in_space() { timeout 60 ip netns exec "$space" "$@"; }

# start ADDRESS PORT COMMAND...: a TCP server, until stop_server; it answers connects on return.
start() {
  local address=$1 port=$2
  shift 2
  ip netns exec "$space" "$@" >"$work/server.log" 2>&1 &
  server_pid=$!
  for _ in $(seq 100); do
    in_space "$tool" ping --kernel --tcp "$port" -n 1 -W 0.2 "$address" 2>/dev/null |
      grep -q 'us$' && return 0
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "did not start: $*"
  cat "$work/server.log"
  return 1
}

# check WHAT COMMAND...
check() {
  local what=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1)) && echo "ok   $what"
  else
    failed=$((failed + 1)) && echo "FAIL $what" && sed 's/^/     /' "$work/log" | tail -30
  fi
}

latency() { in_space "$tool" latency --quiet --warmup 0.1 --duration 0.5 "$@"; }

# Half a second has room for 25 requests with rests of 20 ms between.
rests() {
  latency --json - --interval 0.02 "$@" | tee /dev/stderr |
    grep -qE '"requests": ([1-9]|1[0-9]|2[0-5]),'
}

no_loss() { in_space "$tool" ping -q "$@" | tee /dev/stderr | grep -q ' 0.0 % lost'; }

ulimit -n 4096
check "http starts" start $stack 80 "$http" -c config/tap.toml --root "$work" --port 80
check "http, as a web client sees it" in_space python3 tests/apps/http_test.py $stack 80 "$work"
check "http ends on SIGTERM with status 0" stop_server

check "echo starts" start $stack 7 "$echo" -c config/tap.toml
check "1,000 pings from the kernel" no_loss --kernel -n 1000 -i 0.001 $stack
check "TCP requests" latency --kernel $stack
check "TCP requests, 100 connections, depth 8" latency --kernel -n 100 -d 8 $stack
check "TCP requests of 1 MiB" latency --kernel -s 1048576 $stack
check "TCP requests with rests between" rests --kernel $stack
check "TCP requests with rests between, spinning" rests --kernel --spin $stack
check "UDP requests" latency --kernel --udp -n 10 $stack
check "echo ends on SIGTERM with status 0" stop_server

check "the example of README.md starts" start $stack 7 "$example"
check "the example of README.md echoes" latency --kernel $stack
stop_server

check "the kernel's echo server starts" start 127.0.0.1 7 "$tool" latency --serve --kernel
check "1,000 pings to the kernel" no_loss -c config/tap.toml -n 1000 -i 0.001 $kernel
check "TCP connects" no_loss -c config/tap.toml --tcp 7 -n 20 -i 0.01 $kernel
check "Pollux's TCP requests" latency -c config/tap.toml -n 100 -d 8 $kernel
check "Pollux's UDP requests" latency -c config/tap.toml --udp -n 10 $kernel
check "the kernel's server ends" stop_server

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
