# programs.sh - unmodified programs under `pollux run` over memif, and on the kernel over veth.
# shellcheck shell=bash disable=SC2154
# A part of tests/bench/run, which sources it.
# Each measurement is a file of numbers, $results/CASE.SIDE.REPETITION, for programs_table.py.

under_a=("$tool" run -c config/memif-a.toml --set stack.packets=32767 "${settings[@]}" --)
under_b=("$tool" run -c config/memif-b.toml --set stack.packets=32767 "${settings[@]}" --)
echo_server=$build/tests/bench/thread_echo call_cost=$build/tests/bench/call_cost

server_cores=0
[ "$(nproc)" -le 2 ] || server_cores=0,2-$(($(nproc) - 1))

has() { command -v "$1" >/dev/null || { echo "no $1: not measured"; return 1; }; }

# serve SIDE PATTERN PROGRAM...: on core 0, until stop_server; returns when its log has PATTERN.
serve() {
  local side=$1 pattern=$2 space=$name-b under=()
  shift 2
  [ "$side" = kernel ] || space=$name-a
  [ "$side" != run ] || under=("${under_a[@]}")
  : >"$results/server.log"
  (in_core "$space" "${cores:-0}" "${under[@]}" "$@") >"$results/server.log" 2>&1 &
  server_pid=$!
  for _ in $(seq 200); do
    # A worker that was started then starts its stack.
    grep -q "$pattern" "$results/server.log" && sleep 0.5 && return 0
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "it did not start: $*" && cat "$results/server.log"
  return 1
}

# ask SIDE PROGRAM...: the client, on core 1; HOST in its arguments becomes the server's address.
ask() {
  local side=$1 host=198.18.0.1 under=()
  shift
  [ "$side" != kernel ] || host=198.18.1.2
  [ "$side" != run ] || under=("${under_b[@]}")
  (in_core "$name-a" "${cores:-1}" timeout 60 "${under[@]}" "${@//HOST/$host}") \
    2>"$results/client.log" || { echo "failed: $*: $(cat "$results/client.log")" >&2; return 1; }
}

# keep CASE SIDE REPETITION: the numbers of standard input, if there are any.
keep() {
  local file=$results/$1.$2.$3
  cat >"$file"
  [ -s "$file" ] || rm -f "$file"
}

write_nginx_conf() {
  mkdir -p "$results/site"
  chmod 755 "$results" "$results/site"
  head -c 612 /dev/zero | tr '\0' x >"$results/site/page"
  cat >"$results/nginx.conf" <<CONF
user root; daemon off; worker_processes 1; pid $results/nginx.pid; error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000000;
  server { listen 80; root $results/site; }
}
CONF
}

measure_nginx() {
  serve "$1" "start worker process" nginx -c "$results/nginx.conf" &&
    ask "$1" wrk -t 1 -c 64 -d "$seconds" http://HOST/page |
    awk '/Requests\/sec/ { print $2 }' | keep nginx "$1" "$2"
  stop_server
}

# measure_redis SIDE REPETITION PIPELINED REQUESTS
measure_redis() {
  serve "$1" "Ready to accept" redis-server --bind 0.0.0.0 --protected-mode no --save '' &&
    ask "$1" redis-benchmark -h HOST -c 50 -P "$3" -n "$4" -t get --csv |
    awk -F '"' '/GET/ { print $4 }' | keep "redis-$3" "$1" "$2"
  stop_server
}

# measure_pair SIDE REPETITION: one program with plx_* calls (native), and with the kernel's calls,
# under `pollux run`. Both in the shared thread mode, which any program gets.
measure_pair() {
  local serving=(--kernel) asking=(--kernel) pair
  if [ "$1" = native ]; then
    serving=(-c config/memif-a.toml) asking=(-c config/memif-b.toml)
  fi
  serve "$1" '^listening' "$tool" latency --serve "${serving[@]}" || return
  for pair in "pair-1 1 p50" "pair-64 64 rate"; do
    read -r case connections figure <<<"$pair"
    ask "$1" "$tool" latency "${asking[@]}" --json - --quiet --size 64 -n "$connections" \
      --duration "$seconds" --warmup "$warmup" HOST |
      python3 -c 'import json, sys
run = json.load(sys.stdin)
print(run["latency_ns"]["p50"] / 1000 if sys.argv[1] == "p50" else run["requests_per_second"])' \
        "$figure" | keep "$case" "$1" "$2"
  done
  stop_server
}

# measure_threads SIDE REPETITION THREADS CONNECTIONS: the server has all cores but the client's.
measure_threads() {
  local side=$1 asking=(--kernel)
  [ "$side" = kernel ] || asking=(-c config/memif-b.toml)
  cores=$server_cores serve "$side" '^listening' "$echo_server" 7 "$3" &&
    ask "${side/run/client}" "$tool" latency "${asking[@]}" --json - --quiet -n "$4" \
      --duration "$seconds" --warmup "$warmup" HOST |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["requests_per_second"])' |
    keep "threads-$3-$4" "$side" "$2"
  stop_server
}

# measure_library SIDE REPETITION: SIDE is alone or run; no device is needed.
measure_library() {
  local under=() start i
  [ "$1" = alone ] || under=("$tool" run "${settings[@]}" --)
  "${under[@]}" "$call_cost" calls | keep calls "$1" "$2"
  "${under[@]}" "$call_cost" connect | keep connect "$1" "$2"
  start=${EPOCHREALTIME/./}
  for i in 1 2 3 4 5 6 7 8 9 10; do "${under[@]}" /bin/true; done
  echo "$start ${EPOCHREALTIME/./} $i" | awk '{ print ($2 - $1) / $3 / 1000 }' | keep true "$1" "$2"
}

measure_programs() {
  local side connections
  for side in kernel run; do
    has nginx && has wrk && measure_nginx "$side" "$1"
    has redis-server && measure_redis "$side" "$1" 1 $((seconds * 100000)) &&
      measure_redis "$side" "$1" 16 $((seconds * 500000))
    for connections in 256 1024; do
      measure_threads "$side" "$1" 1 "$connections"
      measure_threads "$side" "$1" 4 "$connections"
    done
  done
  measure_pair native "$1"
  measure_pair run "$1"
  measure_library alone "$1"
  measure_library run "$1"
}
