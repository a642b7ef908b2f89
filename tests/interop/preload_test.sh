#!/usr/bin/env bash
# preload_test.sh - `pollux run` itself, over TAP: nginx as a daemon, how processes end, refusals.
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"

# --- nginx as it is usually run
nginx_conf() {
  cat >"$work/nginx.conf" <<CONF
user root; pid $work/nginx.pid; error_log $work/nginx.err; worker_processes 1;
events { worker_connections 1024; }
http { access_log off; sendfile on; server { listen 80; listen [::]:80; root $work; } }
CONF
}
wait_for_nginx() {
  for _ in $(seq 100); do
    [ "$(fetch 80 page 2>/dev/null)" = hello ] && return 0
    sleep 0.05
  done
  return 1
}
nginx_serves() {
  nginx_conf
  inside "$space_a" "${run[@]}" nginx -c "$work/nginx.conf" && wait_for_nginx &&
    fetch 80 big | is_big &&
    inside "$space_a" wrk -t 1 -c 64 -d 2 "http://$stack_address:80/page" >"$work/wrk.log" &&
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk.log"
}
nginx_reloads() {
  local before
  before=$(pgrep -P "$(cat "$work/nginx.pid")")
  kill -HUP "$(cat "$work/nginx.pid")"
  for _ in $(seq 100); do
    kill -0 "$before" 2>/dev/null || break
    sleep 0.05
  done
  ! kill -0 "$before" 2>/dev/null && wait_for_nginx
}
nginx_ends() {
  local master
  master=$(cat "$work/nginx.pid")
  kill -QUIT "$master"
  for _ in $(seq 100); do
    [ -e "$work/nginx.pid" ] || break
    sleep 0.05
  done
  [ ! -e "$work/nginx.pid" ] && ! grep -E 'alert|emerg' "$work/nginx.err"
}

if has nginx "nginx"; then
  check "nginx: daemon, master and worker, sendfile, wrk" nginx_serves
  check "nginx: reload by signal" nginx_reloads
  check "nginx: an orderly end" nginx_ends
fi

# --- the end of a process is the end of its connections
# says_goodbye CODE: what a client sent before it ended like this has arrived, and then the end.
says_goodbye() {
  ip netns exec "$space_a" timeout 20 socat -u TCP-LISTEN:9100,reuseaddr "CREATE:$work/last" &
  local receiver=$!
  sleep 0.5
  client python3 -c "
import os, signal, socket
socket.create_connection(('$kernel_address', 9100)).sendall(bytes(3000000))
$1"
  wait "$receiver" && [ "$(stat -c %s "$work/last")" = 3000000 ]
}
if has socat "ends"; then
  check "exit" says_goodbye ""
  check "_exit" says_goodbye "os._exit(0)"
  check "SIGTERM" says_goodbye "os.kill(os.getpid(), signal.SIGTERM)"
  check "SIGINT, which python handles" says_goodbye "os.kill(os.getpid(), signal.SIGINT)"
fi

# --- without a configuration file; and what the machine needs
tap_serves() {
  in_background "$tool" run --tap -- python3 -m http.server --directory "$work" 8003
  port_is_open "$stack_address" 8003 && fetch 8003 big | is_big
}
check "--tap instead of a file" tap_serves
doctor() { inside "$space_a" "$@" "$tool" doctor --tap >"$work/doctor.log"; }
says_taken() { ! doctor && grep -q "another process has the TAP device plx0" "$work/doctor.log"; }
check "doctor: a stack has the TAP device" says_taken
stop "$pid"
check "doctor: nothing keeps a stack from starting" doctor
says_right() {
  ! doctor setpriv --bounding-set -net_admin && grep -q "no CAP_NET_ADMIN" "$work/doctor.log"
}
check "doctor: without CAP_NET_ADMIN" says_right
says "a stack that does not start names the doctor" "pollux doctor" ip netns exec "$space_a" \
  setpriv --bounding-set -net_admin "$tool" run --tap -- nc -z "$kernel_address" 9
many_packets() {
  "$tool" run --set stack.packets=65535 --set stack.hugepages=false -- python3 -c "
import socket
listener = socket.create_server(('127.0.0.1', 80))
socket.create_connection(('127.0.0.1', 80))"
}
check "65,535 packets without hugepages" many_packets
says "--tap and a file" "excludes" "$tool" run --tap -c "$root/config/tap.toml" -- /bin/true

# --- what cannot work is said
cat >"$work/set_user_id" </bin/true
chmod 4755 "$work/set_user_id"
says "a set-user-ID program" "set-user-ID" "$tool" run -- "$work/set_user_id"
says "a static program" "statically" "$tool" run -- /sbin/ldconfig
not_there() { ! "$tool" run -- /nowhere && [ "$("$tool" run -- /nowhere 2>&1; echo $?)" = \
  $'pollux run: /nowhere: no such program\n127' ]; }
check "a program that is not there, as a shell says it" not_there
says "a configuration that is wrong" "did you mean" "$tool" run --set stack.packet=1 -- /bin/true
finish
