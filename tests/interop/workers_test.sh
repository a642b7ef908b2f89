#!/usr/bin/env bash
# workers_test.sh - processes that want the same device, and a device for each of several workers.
source "$(dirname "$0")/lib.sh" "$@"
source "$here/preload.sh"
waits_for='belongs to process [0-9]* (.*) until that ends: waiting for it'

# What nginx is run from is below a folder that only root can enter: its workers cannot, once they
# are www-data's.
closed=$work/closed
mkdir -m 700 "$closed"
mkdir -p "$closed"/{apps/pollux,apps/preload,stack/api,config}
cp "$tool" "$closed/apps/pollux/"
cp "$build/apps/preload/libpollux-preload.so" "$closed/apps/preload/"
cp "$build/stack/api/libpollux.so.0" "$closed/stack/api/"
cp "$root"/config/*.toml "$closed/config/"

# nginx_starts CONFIG WORKERS: as packaged: daemon, master, workers, www-data. What
# is said on standard error is in the error log: nginx puts it there.
nginx_starts() {
  cat >"$work/nginx.conf" <<CONF
user www-data; pid $work/nginx.pid; error_log $work/nginx.err; worker_processes $2;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_timeout 10;
  server { listen 80; listen [::]:80; root $work; add_header X-Worker \$pid; }
}
CONF
  rm -f "$work/nginx.err"
  here_kernel "$closed/apps/pollux/pollux" run -c "$closed/config/$1" -- \
    nginx -c "$work/nginx.conf"
}
nginx_ends() {
  local master
  master=$(cat "$work/nginx.pid") || return 1
  kill -QUIT "$master"
  for _ in $(seq 200); do
    kill -0 "$master" 2>/dev/null || return 0
    sleep 0.05
  done
  return 1
}
is_served() {
  for _ in $(seq 100); do
    [ "$(here_kernel curl -s --max-time 1 "http://$1/page")" = hello ] && return 0
    sleep 0.05
  done
  return 1
}
# The process that has the device, as the kernel's table of sockets tells it.
owner() {
  ip netns exec "$space_a" ss -xlp | grep -o "pollux-device-.*iface=$1 .*" | grep -o 'pid=[0-9]*' |
    head -1 | cut -d= -f2
}

# --- a worker for each core, one device
workers_with_one_device() {
  local count
  count=$(getconf _NPROCESSORS_ONLN)
  nginx_starts tap.toml auto && is_served $stack_address || return
  for _ in $(seq 100); do
    [ "$(grep -c "$waits_for" "$work/nginx.err")" -ge $((count - 1)) ] && break
    sleep 0.05
  done
  [ "$(pgrep -c -P "$(cat "$work/nginx.pid")")" = "$count" ] &&
    [ "$(grep -c "$waits_for" "$work/nginx.err")" = $((count - 1)) ]
}
workers_are_nobody() {
  local one
  for one in $(pgrep -P "$(cat "$work/nginx.pid")"); do
    [ "$(stat -c %U "/proc/$one")" = www-data ] || return
  done
  grep -q '^CapPrm:.*0000000000000000$' "/proc/$(owner plx0)/status"
}
other_takes_over() {
  local before
  before=$(owner plx0)
  kill -KILL "$before"
  is_served $stack_address && [ "$(owner plx0)" != "$before" ]
}
# A download that goes on in the old worker keeps the device there; the new ones wait, then serve.
reload_waits_for_a_download() {
  local before
  before=$(owner plx0)
  here_kernel curl -sS --limit-rate 10M "http://$stack_address/big" >"$work/download" &
  local download=$!
  sleep 0.5
  kill -HUP "$(cat "$work/nginx.pid")"
  sleep 0.5
  kill -0 "$download" && [ "$(owner plx0)" = "$before" ] || return
  wait "$download" && cmp "$work/download" "$work/big" || return
  local ended
  ended=$(date +%s%N)
  is_served $stack_address && [ "$(owner plx0)" != "$before" ] &&
    echo "$((($(date +%s%N) - ended) / 1000000))" >"$work/gap"
}
if has nginx "nginx's workers"; then
  check "nginx: worker_processes auto: one serves, the others wait and say so" \
    workers_with_one_device
  check "nginx: its workers are www-data's, and keep no capability" workers_are_nobody
  check "nginx: a worker is killed, another takes over" other_takes_over
  check "nginx: a reload while a download goes on" reload_waits_for_a_download
  [ -e "$work/gap" ] &&
    echo "     from its end to the new worker's first answer: $(cat "$work/gap") ms"
  check "an orderly end" nginx_ends
fi

# --- a device each, one address before both
ip netns exec "$space_a" sysctl -qw net.ipv4.fib_multipath_hash_policy=1
workers_of() {
  local one
  for one in $(seq "$1"); do
    here_kernel curl -sS -o /dev/null -D - "http://198.18.100.1/page" |
      sed -n 's/^X-Worker: //p'
  done | sort | uniq -c
}
a_device_each() {
  nginx_starts workers.toml 2 && is_served 198.18.0.2 && is_served 198.18.1.2 || return
  ip -n "$space_a" route add 198.18.100.1 nexthop via 198.18.0.2 nexthop via 198.18.1.2
  workers_of 40 | tee "$work/workers"
  [ "$(wc -l <"$work/workers")" = 2 ] &&
    [ "$(awk '{n += $1} END {print n}' "$work/workers")" = 40 ] &&
    ! grep -q waiting "$work/nginx.err"
}
if has nginx "a device each"; then
  check "nginx: two workers, a device each" a_device_each
  check "their orderly end" nginx_ends
fi

# --- any two programs
# $holder has it until it is stopped. (Nothing is claimed before the wire is needed: accept
# needs it.)
python_holds_the_device() {
  start "$space_a" first.log holds "${run[@]}" python3 -uc "
import socket, time
server = socket.create_server(('$stack_address', 8000))
server.setblocking(False)
try: server.accept()
except BlockingIOError: print('holds', flush=True)
time.sleep(60)"
  local status=$?
  holder=$pid
  return $status
}
kernels_server() {
  start "$space_a" server.log Serving python3 -um http.server --directory "$work" \
    --bind $kernel_address 8001
}
a_blocking_connect_waits() {
  python_holds_the_device && kernels_server &&
    start "$space_a" second.log "$waits_for" "${run[@]}" wget -nv -t 1 -O "$work/got" \
      "http://$kernel_address:8001/page" || return
  local second=$pid
  stop "$holder"
  wait "$second"
  cat "$work/second.log" "$work/server.log"
  [ "$(cat "$work/got")" = hello ]
}
a_non_blocking_connect_does_not() {
  python_holds_the_device || return
  here_kernel "${run[@]}" python3 -c "
import errno, socket
s = socket.socket()
s.setblocking(False)
assert s.connect_ex(('$kernel_address', 8001)) == errno.ENETDOWN
s.setblocking(True)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b'\0' * 8 + (100000).to_bytes(8, 'little'))
assert s.connect_ex(('$kernel_address', 8001)) == errno.EAGAIN"
  local status=$?
  stop "$holder"
  return $status
}
# waits_in CALL: a server that finds the device taken waits in it, beside a pipe of the kernel's
# that goes on, until the device is free.
waits_in() {
  python_holds_the_device &&
    start "$space_a" second.log "pipe 3" "${run[@]}" python3 -u "$here/late_server.py" "$1" \
      $stack_address || return
  local second=$pid result
  stop "$holder"
  is_served $stack_address:8002 && grep -q "$waits_for" "$work/second.log"
  result=$?
  cat "$work/second.log"
  stop "$second"
  return $result
}
check "a second program's blocking connect waits" a_blocking_connect_waits
check "a non-blocking one does not, nor one with a timeout for long" a_non_blocking_connect_does_not
for call in select poll epoll accept; do check "a server waits in $call" waits_in $call; done
python_holds_the_device && says "a native program is told whose the device is" \
  'port tap0 .* belongs to process [0-9]+ \(python3\)' \
  ip netns exec "$space_a" "$echo_server" -c "$root/config/tap.toml"
finish
