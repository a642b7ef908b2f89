#!/usr/bin/env bash
# clients_test.sh - Debian's programs on Pollux as clients of the kernel's servers, over TAP.
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"
url=http://$kernel_address:8000

# --- of one web server
curl_gets() { client curl -sS "$url/big" | is_big; }
curl_gets_at_once() {
  client curl -sS -Z -o "$work/1" "$url/big" -o "$work/2" "$url/big" -o "$work/3" "$url/big" &&
    cmp "$work/1" "$work/big" && cmp "$work/2" "$work/big" && cmp "$work/3" "$work/big"
}
wget_gets() { client wget -q -O - "$url/big" | is_big; }
node_gets() {
  client node -e '
    const http = require("http"), agent = new http.Agent({keepAlive: true, maxSockets: 2});
    let open = 4, octets = 0;
    for (let i = 0; i < 4; ++i) http.get(process.argv[1], {agent}, answer => {
      answer.on("data", data => octets += data.length);
      answer.on("end", () => --open || process.exit(octets === 4 * process.argv[2] ? 0 : 1));
    });' "$url/big" $big_size
}
ab_asks() {
  client ab -q -n 2000 -c 50 "$@" "$url/page" | tee "$work/ab.log"
  grep -Eq 'Complete requests: +2000' "$work/ab.log" &&
    grep -Eq 'Failed requests: +0' "$work/ab.log"
}
wrk_asks() {
  limit=20 inside "$space_a" "${many[@]}" wrk -t 2 -c 200 -d 2 "$url/page" | tee "$work/wrk.log"
  grep -Eq ' [1-9][0-9]+ requests in' "$work/wrk.log" &&
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk.log"
}
h2load_asks() {
  client h2load -n 5000 -c 20 -m 10 -t 2 "http://$kernel_address:8001/page" | tee "$work/h2.log"
  grep -q '5000 succeeded, 0 failed, 0 errored' "$work/h2.log"
}

web_server() {
  web_conf web "server { listen 8001 http2; root $work; }" "listen 8000;"
  kernels 8000 nginx -c "$work/web.conf"
}
if has nginx "clients of a web server"; then
  web_server || fail "nginx on the kernel: $(cat "$work/web.err")"
  web=$pid
  tried "curl" curl curl_gets
  tried "curl, three at once" curl curl_gets_at_once
  tried "wget" wget wget_gets
  tried "node's http client" node node_gets
  tried "ab" ab ab_asks
  tried "ab -k" ab ab_asks -k
  tried "wrk as a client" wrk wrk_asks
  tried "h2load" h2load h2load_asks
  stop "$web"
fi

# --- that send what they read
# sends PROGRAM...: its standard input arrives at a server of the kernel's.
sends() {
  in_background timeout 30 socat -u TCP-LISTEN:9000,reuseaddr "CREATE:$work/arrived"
  sleep 0.5
  client "$@" <"$work/big" || return
  wait "$pid" && cmp "$work/arrived" "$work/big"
}
# echoes PROGRAM...: what it sends comes back.
echoes() {
  kernels 9001 socat TCP-LISTEN:9001,reuseaddr,fork EXEC:cat || return
  client "$@" <"$work/big" | is_big
}
datagrams() {
  in_background timeout 30 socat UDP-LISTEN:9002 EXEC:cat
  sleep 0.3
  [ "$(echo question | client socat -t 3 - "UDP:$kernel_address:9002,shut-none" | head -n 1)" = \
    question ]
}
tried "socat as a client" socat sends socat -u - "TCP:$kernel_address:9000"
tried "socat both ways" socat echoes socat -t 10 - "TCP:$kernel_address:9001"
tried "socat with datagrams" socat datagrams
has socat "nc as a client" && tried "nc as a client" nc sends nc -N "$kernel_address" 9000

# --- with encryption
# without_head: the body of an answer of HTTP.
without_head() { LC_ALL=C sed '1,/^\r*$/d'; }
s_client_gets() {
  certificate && kernels 4433 env -C "$work" openssl s_server -accept 4433 -cert cert.pem \
    -key key.pem -tls1_3 -WWW -quiet || return
  printf 'GET /big HTTP/1.0\r\n\r\n' |
    client openssl s_client -quiet -tls1_3 -connect "$kernel_address:4433" | without_head | is_big
}
# The daemon's own folder below /run, and a root without a lock, only for it to see.
sshd_runs() {
  ssh-keygen -q -t ed25519 -N '' -f "$work/host_key" && ssh-keygen -q -t ed25519 -N '' -f \
    "$work/user_key" || return
  cat >"$work/sshd_config" <<CONF
Port 2222
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
CONF
  sed 's/^root:[^:]*/root:*/' /etc/shadow >"$work/shadow"
  chmod 600 "$work/shadow"
  kernels 2222 sh -c "mount -t tmpfs none /run && mkdir /run/sshd &&
    mount --bind $work/shadow /etc/shadow && exec $(command -v sshd) -D -e -f $work/sshd_config"
}
ssh_works() {
  sshd_runs || return
  local login=(ssh -F none -p 2222 -i "$work/user_key" -o StrictHostKeyChecking=no
    -o "UserKnownHostsFile=$work/known_hosts" -o IdentitiesOnly=yes "root@$kernel_address")
  client "${login[@]}" "cat >$work/arrived" <"$work/big" && cmp "$work/arrived" "$work/big" &&
    client "${login[@]}" cat "$work/big" | is_big
}
tried "openssl s_client, TLS 1.3" openssl s_client_gets
has sshd "ssh" && tried "ssh" ssh ssh_works

# --- languages
asyncio_asks() {
  kernels 9001 socat TCP-LISTEN:9001,reuseaddr,fork,backlog=50 EXEC:cat || return
  client python3 "$here/servers.py" client "$kernel_address" 9001 20
}
java_asks() {
  kernels 9001 socat TCP-LISTEN:9001,reuseaddr,fork,backlog=50 EXEC:cat || return
  client java "$here/NioEcho.java" client "$kernel_address" 9001 20
}
tried "asyncio's streams as a client" python3 asyncio_asks
tried "java's NIO as a client" java java_asks

# --- that measure
iperf3_asks() {
  kernels 5201 iperf3 -s && client iperf3 -c "$kernel_address" -t 1 "$@" | tee "$work/iperf3.log"
  grep -Eq '[1-9][0-9.]* [KMG]bits/sec.*receiver' "$work/iperf3.log"
}
# sockperf_asks COMMAND PROTOCOL...
sockperf_asks() {
  in_background sockperf server -i 0.0.0.0 -p 11111 "${@:2}"
  sleep 0.5
  client sockperf "$1" -i "$kernel_address" -p 11111 -t 1 "${@:2}" | tee "$work/sockperf.log"
  grep -Eq 'Total Run.* ReceivedMessages=[1-9][0-9]' "$work/sockperf.log"
}
tried "iperf3" iperf3 iperf3_asks
tried "iperf3 -R" iperf3 iperf3_asks -R
tried "iperf3 -P 8" iperf3 iperf3_asks -P 8
tried "iperf3 -R -P 8" iperf3 iperf3_asks -R -P 8
tried "iperf3 -u" iperf3 iperf3_asks -u -b 20M
tried "sockperf ping-pong, TCP" sockperf sockperf_asks ping-pong --tcp
tried "sockperf ping-pong, UDP" sockperf sockperf_asks ping-pong
tried "sockperf under-load, TCP" sockperf sockperf_asks under-load --tcp
tried "sockperf under-load, UDP" sockperf sockperf_asks under-load
finish
