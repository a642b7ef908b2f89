#!/usr/bin/env bash
# servers_test.sh - Debian's programs on Pollux as servers of the kernel's clients, over TAP.
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"

# --- languages
# echoes_many PORT: 20 connections of the kernel's at once, and one with much to say.
echoes_many() {
  here_kernel "$peer" echo "$stack_address" "$1" 2000 20 &&
    here_kernel "$peer" echo "$stack_address" "$1" 3000000
}
http_server_serves() {
  serves 8001 python3 -m http.server --directory "$work" 8001 && fetch 8001 big | is_big
}
streams_serve() { serves 8003 python3 "$here/servers.py" streams 8003 && echoes_many 8003; }
threads_serve() { serves 8004 python3 "$here/servers.py" threads 8004 && echoes_many 8004; }
node_serves() {
  serves 8002 node -e 'require("http").createServer((request, answer) =>
    require("fs").createReadStream(process.argv[1]).pipe(answer)).listen(8002)' "$work/big" &&
    fetch 8002 big | is_big &&
    here_kernel ab -q -k -n 20 -c 5 "http://$stack_address:8002/" | grep -q 'Failed requests: *0'
}
java_serves() { serves 8005 java "$here/NioEcho.java" server 8005 && echoes_many 8005; }
tried "python's http.server" python3 http_server_serves
tried "asyncio's streams" python3 streams_serve
tried "python's threaded socketserver" python3 threads_serve
has ab "node's http server" && tried "node's http server" node node_serves
tried "java's NIO" java java_serves

# --- with encryption
s_server_serves() {
  certificate && serves 4433 env -C "$work" openssl s_server -accept 4433 -cert cert.pem \
    -key key.pem -tls1_3 -WWW -quiet || return
  here_kernel curl -sSk --tlsv1.3 --max-time 20 "https://$stack_address:4433/big" | is_big
}
tried "openssl s_server, TLS 1.3" openssl s_server_serves

# --- of one connection
# one_arrives PROGRAM...: a server on Pollux that puts what it reads into $work/arrived.
one_arrives() {
  in_background "${run[@]}" "$@"
  stack_is_up || return
  here_kernel socat -u "FILE:$work/big" "TCP:$stack_address:9003,retry=99,interval=0.1" || return
  wait "$pid" && cmp "$work/arrived" "$work/big"
}
socat_serves() { one_arrives socat -u TCP-LISTEN:9003,reuseaddr "CREATE:$work/arrived"; }
nc_serves() { one_arrives sh -c "exec nc -l 9003 >$work/arrived"; }
# A process for each connection: the child has no stack, and hears why.
socat_forks() {
  in_background "${run[@]}" socat TCP-LISTEN:9003,reuseaddr,fork EXEC:cat
  stack_is_up || return
  echo question | here_kernel socat -t 1 - "TCP:$stack_address:9003,retry=99,interval=0.1"
  for _ in $(seq 100); do
    grep "this process was forked: its parent's sockets are the parent's" "$work/background.log" &&
      return 0
    sleep 0.05
  done
  return 1
}
tried "socat as a server" socat socat_serves
tried "socat with fork, which says so" socat socat_forks
tried "nc -l" nc nc_serves

# --- that measure
# iperf3_serves ARGUMENTS...: of the client.
iperf3_serves() {
  serves 5201 iperf3 -s &&
    here_kernel iperf3 -c "$stack_address" -t 1 "$@" | tee "$work/iperf3.log"
  grep -Eq '[1-9][0-9.]* [KMG]bits/sec.*receiver' "$work/iperf3.log"
}
# sockperf_serves COMMAND PROTOCOL...
sockperf_serves() {
  in_background "${run[@]}" sockperf server -i "$stack_address" -p 11111 "${@:2}"
  stack_is_up &&
    here_kernel sockperf "$1" -i "$stack_address" -p 11111 -t 1 "${@:2}" | tee "$work/sockperf.log"
  grep -Eq 'Total Run.* ReceivedMessages=[1-9][0-9]' "$work/sockperf.log"
}
tried "iperf3 -s" iperf3 iperf3_serves
tried "iperf3 -s, for a client with -R" iperf3 iperf3_serves -R
tried "iperf3 -s, for a client with -P 8" iperf3 iperf3_serves -P 8
tried "iperf3 -s, for a client with -R -P 8" iperf3 iperf3_serves -R -P 8
tried "iperf3 -s, for a client with -u" iperf3 iperf3_serves -u -b 20M
tried "sockperf server, ping-pong, TCP" sockperf sockperf_serves ping-pong --tcp
tried "sockperf server, ping-pong, UDP" sockperf sockperf_serves ping-pong
tried "sockperf server, under-load, TCP" sockperf sockperf_serves under-load --tcp
tried "sockperf server, under-load, UDP" sockperf sockperf_serves under-load
finish
