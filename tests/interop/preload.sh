# preload.sh - unmodified programs over TAP, against the kernel's: sourced after lib.sh.
# shellcheck shell=bash disable=SC2154
# One namespace; what runs with `client` or `serves` is on Pollux there, all else on the kernel.
# A test calls `tried NAME PROGRAM FUNCTION` for each case; apps/README.md names the cases.
PATH=/usr/sbin:/usr/bin:/sbin:/bin  # Debian's, not what somebody has installed besides
space a
config=$root/config/tap.toml
run=("$tool" run -c "$config" --)
many=("$tool" run -c "$config" --set stack.packets=65536 --)  # for a thousand connections
big_size=20000000
head -c $big_size /dev/urandom >"$work/big"
echo hello >"$work/page"
chmod 644 "$work/big" "$work/page"

# has PROGRAM CASE: skips the case of a program that is not there.
has() { command -v "$1" >/dev/null || { skip "$2" "no $1"; return 1; }; }
# tried NAME PROGRAM FUNCTION...: one case; what it left running ends with it.
tried() {
  local name=$1
  has "$2" "$name" || return
  shift 2
  before=("${pids[@]}")
  check "$name" "$@"
  end_since "${#before[@]}"
}
# end_since COUNT: ends what runs in the background but for the first COUNT.
end_since() {
  local one
  for one in "${pids[@]:$1}"; do stop "$one"; done
}

is_big() { cmp - "$work/big"; }
here_kernel() { inside "$space_a" "$@"; }
# in_background COMMAND...: in the namespace; $pid. What it says is shown if the case fails.
in_background() {
  ip netns exec "$space_a" "$@" >"$work/background.log" 2>&1 &
  pid=$!
  pids+=("$pid")
}
# port_is_open ADDRESS PORT: waits for a server of either side.
port_is_open() {
  for _ in $(seq 200); do
    ip netns exec "$space_a" timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null && return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  cat "$work/background.log"
  return 1
}
# stack_is_up: for servers without a port that could be tried.
stack_is_up() {
  for _ in $(seq 100); do
    ip netns exec "$space_a" ping -q -c 1 -W 1 $stack_address >/dev/null 2>&1 && return 0
    sleep 0.05
  done
  return 1
}
# kernels PORT PROGRAM...: a server of the kernel's, on any address.
kernels() {
  local port=$1
  shift
  in_background "$@"
  port_is_open 127.0.0.1 "$port"
}
# client PROGRAM...: on Pollux, at most 20 seconds.
client() { limit=20 inside "$space_a" "${run[@]}" "$@"; }
# serves PORT PROGRAM...: a server on Pollux.
serves() {
  local port=$1
  shift
  in_background "${run[@]}" "$@"
  port_is_open "$stack_address" "$port"
}
# fetch PORT PATH: with the kernel's curl.
fetch() { here_kernel curl -sS --max-time 20 "http://$stack_address:$1/$2"; }

# certificate: for servers with TLS.
certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pollux -keyout "$work/key.pem" \
    -out "$work/cert.pem" 2>/dev/null
}

# web_conf NAME EXTRA PORTS: $work/NAME.conf, a server of $work.
web_conf() {
  cat >"$work/$1.conf" <<CONF
user root; daemon off; pid $work/$1.pid; error_log $work/$1.err; worker_processes 1;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 1000000; $2 server { $3 root $work; } }
CONF
}
