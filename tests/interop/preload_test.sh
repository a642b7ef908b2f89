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
