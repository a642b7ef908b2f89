#!/usr/bin/env bash
# file_test.sh - 256 MiB over TAP, both roles, both directions, equal SHA-256.
source "$(dirname "$0")/lib.sh" "$@"
space a
tap=$root/config/tap.toml
mebibytes=${MEBIBYTES:-256}
head -c $((mebibytes << 20)) /dev/urandom >"$work/file"
sum=$(sha256sum <"$work/file")
limit=120

same_sum() {
  [ "$(sha256sum <"$1")" = "$sum" ] && return 0
  echo "SHA-256 differs, $(stat -c %s "$1") octets"
  return 1
}

# The other end runs in the background; both must end well and the copy must be equal.
meet() {
  local server=$1 client=$2 copy=$work/copy
  rm -f "$copy"
  start "$space_a" server.log listening $server || return 1
  local server_pid=$pid
  inside "$space_a" timeout 90 $client || return 1
  wait "$server_pid" || { echo "the server's status was not 0"; cat "$work/server.log"; return 1; }
  same_sum "$copy"
}

case_of() {
  local name=$1 before after
  shift
  before=$(date +%s%N)
  if meet "$@" >"$work/case.log" 2>&1; then
    after=$(date +%s%N)
    ok "$name: $((mebibytes * 8388608 / ((after - before) / 1000 + 1))) Mbit/s"
  else
    fail "$name"
    tail -n 20 "$work/case.log" | sed 's/^/     /'
  fi
}

pollux=$transfer
to_pollux="$stack_address 7000" to_kernel="$kernel_address 7000"
case_of "kernel client sends to Pollux server" \
  "$pollux $tap listen $to_pollux receive $work/copy" \
  "python3 $peer connect $to_pollux send $work/file"
case_of "kernel client receives from Pollux server" \
  "$pollux $tap listen $to_pollux send $work/file" \
  "python3 $peer connect $to_pollux receive $work/copy"
# The kernel's end of the TAP exists once Pollux runs, so the kernel's server listens on any.
case_of "Pollux client sends to kernel server" \
  "python3 -u $peer listen 0.0.0.0 7000 receive $work/copy" \
  "$pollux $tap connect $to_kernel send $work/file"
case_of "Pollux client receives from kernel server" \
  "python3 -u $peer listen 0.0.0.0 7000 send $work/file" \
  "$pollux $tap connect $to_kernel receive $work/copy"

# CSUM-2: the kernel has found no checksum of ours wrong, in none of its layers.
no_wrong_sums() {
  inside "$space_a" nstat -asz '*InCsumErrors' | tee "$work/sums" >&2
  awk '/InCsumErrors/ { lines += 1; wrong += $2 } END { exit lines < 3 || wrong != 0 }' "$work/sums"
}
check "every checksum was right" no_wrong_sums

if start "$space_a" http.log listening "$http_server" -c "$tap" --root "$work" --port 80; then
  fetch() {
    inside "$space_a" curl -sS --max-time 60 -o "$work/copy" "http://$stack_address/file" &&
      same_sum "$work/copy"
  }
  if fetch >"$work/case.log" 2>&1; then ok "curl fetches it from http"; else
    fail "curl fetches it from http"
    tail -5 "$work/case.log"
  fi
else
  fail "http does not start"
fi
finish
