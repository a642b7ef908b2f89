#!/usr/bin/env bash
# preload_test.sh - Debian's own programs under `pollux run` over TAP, against the kernel's.
source "$(dirname "$0")/lib.sh" "$@"
space a
run=("$tool" run -c "$root/config/tap.toml" --)
head -c 20000000 /dev/urandom >"$work/big"
echo hello >"$work/page"
chmod 644 "$work/big" "$work/page"

# Skips the case of a program that is not there.
has() { command -v "$1" >/dev/null || { skip "$2" "no $1"; return 1; }; }
is_big() { cmp - "$work/big"; }
# port_is_open ADDRESS PORT: waits for a server of either side.
port_is_open() {
  for _ in $(seq 100); do
    ip netns exec "$space_a" timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null && return 0
    sleep 0.05
  done
  return 1
}
# in_background COMMAND...: in the namespace; $pid.
in_background() {
  ip netns exec "$space_a" "$@" >"$work/background.log" 2>&1 &
  pid=$!
  pids+=("$pid")
}
end_of() { stop "$1"; rm -f "$work/background.log"; }

# --- programs as clients of the kernel's servers
kernels_http() {
  in_background python3 -m http.server --directory "$work" 8000
  sleep 1
}
client() { limit=20 inside "$space_a" "${run[@]}" "$@"; }
curl_gets() { client curl -sS "http://$kernel_address:8000/big" | is_big; }
wget_gets() { client wget -q -O - "http://$kernel_address:8000/big" | is_big; }
node_gets() {
  client node -e 'require("http").get(process.argv[1], answer => {
    let octets = 0;
    answer.on("data", data => octets += data.length);
    answer.on("end", () => process.exit(octets === 20000000 ? 0 : 1));
  })' "http://$kernel_address:8000/big"
}
# sends PROGRAM...: its standard input arrives at a server of the kernel's.
sends() {
  ip netns exec "$space_a" timeout 30 socat -u TCP-LISTEN:9000,reuseaddr "CREATE:$work/arrived" &
  local receiver=$!
  sleep 0.5
  client "$@" <"$work/big" || return
  wait "$receiver" && cmp "$work/arrived" "$work/big"
}
iperf3_sends() {
  ip netns exec "$space_a" timeout 30 iperf3 -s -1 >/dev/null &
  sleep 0.5
  client iperf3 -c "$kernel_address" -t 1 "$@" && wait $!
}

kernels_http
http=$pid
has curl "curl" && check "curl" curl_gets
has wget "wget" && check "wget" wget_gets
has node "node" && check "node's http client" node_gets
end_of "$http"
has socat "socat" && check "socat as a client" sends socat -u - "TCP:$kernel_address:9000"
has nc "nc" && has socat "nc" && check "nc as a client" sends nc -N "$kernel_address" 9000
has iperf3 "iperf3" && check "iperf3" iperf3_sends
has iperf3 "iperf3 -R -P 4" && check "iperf3 the other way, four at once" iperf3_sends -R -P 4

# --- programs as servers for the kernel's clients
# serves PORT PROGRAM...
serves() {
  local port=$1
  shift
  in_background "${run[@]}" "$@"
  port_is_open "$stack_address" "$port" && return 0
  cat "$work/background.log"
  return 1
}
fetch() { inside "$space_a" curl -sS --max-time 10 "http://$stack_address:$1/$2"; }
python_serves() {
  serves 8001 python3 -m http.server --directory "$work" 8001 && fetch 8001 big | is_big
}
node_serves() {
  serves 8002 node -e 'require("http").createServer((request, answer) =>
    require("fs").createReadStream(process.argv[1]).pipe(answer)).listen(8002)' "$work/big" &&
    fetch 8002 big | is_big
}
redis_client() { inside "$space_a" redis-cli -h "$stack_address" "$@"; }
redis_serves() {
  serves 6379 redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir "$work" &&
    inside "$space_a" redis-benchmark -h "$stack_address" -n 5000 -q -t ping,set,get,lpush,mset &&
    inside "$space_a" redis-benchmark -h "$stack_address" -n 20000 -P 16 -q -t set,get &&
    [ "$(redis_client bgsave)" = "Background saving started" ] && sleep 1 &&
    redis_client info persistence | grep -q bgsave_status:ok
}
memcached_serves() {
  serves 11211 memcached -u root -t 4 -l "$stack_address" -U 11211 &&
    inside "$space_a" python3 - "$stack_address" <<'CLIENTS'
import os, socket, sys, threading
failures = []
def client(number):
    file = socket.create_connection((sys.argv[1], 11211)).makefile("rwb")
    def ask(line):
        file.write(line)
        file.flush()
        return file.readline()
    for i in range(200):
        value = os.urandom(100).hex().encode()
        stored = ask(b"set k%d-%d 0 0 200\r\n%s\r\n" % (number, i, value))
        ask(b"get k%d-%d\r\n" % (number, i))
        got = file.readline().strip(), file.readline()
        if stored != b"STORED\r\n" or got != (value, b"END\r\n"):
            failures.append((number, i))
threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(bool(failures))
CLIENTS
}
haproxy_serves() {
  cat >"$work/haproxy.cfg" <<CONF
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind $stack_address:8080
  default_backend b
backend b
  server s $kernel_address:8000
CONF
  in_background python3 -m http.server --directory "$work" 8000
  local behind=$pid
  serves 8080 haproxy -f "$work/haproxy.cfg" && fetch 8080 big | is_big
  local status=$?
  end_of "$behind"
  return $status
}
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

check "python's http.server" python_serves
end_of "$pid"
has node "node" && check "node's http server" node_serves && end_of "$pid"
has redis-server "redis" && check "redis-server, redis-benchmark, BGSAVE" redis_serves
end_of "$pid"
has memcached "memcached" && check "memcached with 4 threads, 16 clients" memcached_serves
end_of "$pid"
has haproxy "haproxy" && check "haproxy in front of a server of the kernel's" haproxy_serves
end_of "$pid"
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
end_of "$pid"
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
