# lib.sh - namespaces, background programs and cases for the interop tests; sourced by them.
# shellcheck shell=bash
# Usage: source lib.sh "$@"; then space, start, check, finish. $1 is the build directory.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${1:-$root/build-tests}" 2>/dev/null && pwd) || {
  echo "no build directory ${1:-}"
  exit 2
}
echo_server=$build/apps/echo
http_server=$build/apps/http
tool=$build/apps/pollux/pollux
transfer=$build/tests/interop/transfer
peer=$here/peer.py
stack_address=198.18.0.2 kernel_address=198.18.0.1
passed=0 failed=0 skipped=0 spaces=() pids=()
work=$(mktemp -d "${TMPDIR:-/tmp}/pollux-interop.XXXXXX")
chmod 755 "$work"

clean_up() {
  local one
  for one in "${pids[@]}"; do stop "$one"; done
  for one in "${spaces[@]}"; do ip netns del "$one" 2>/dev/null; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# space NAME: a network namespace of our own; $space_NAME is its full name.
space() {
  local full=plx-$$-$1
  ip netns add "$full" || exit 1
  spaces+=("$full")
  printf -v "space_$1" %s "$full"
  ip -n "$full" link set lo up
}

# inside SPACE COMMAND...: at most ${limit:-60} seconds.
inside() { timeout --kill-after=5 "${limit:-60}" ip netns exec "$@"; }

# start SPACE LOG PATTERN COMMAND...: in the background; returns when PATTERN is in the log (10 s).
# $pid is its process. Fails, with the log shown, if it ends or says nothing.
start() {
  local where=$1 log=$work/$2 pattern=$3
  shift 3
  : >"$log"
  ip netns exec "$where" "$@" >"$log" 2>&1 &
  pid=$!
  pids+=("$pid")
  for _ in $(seq 400); do
    grep -q "$pattern" "$log" && return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.025
  done
  echo "     $* did not say \"$pattern\":"
  sed 's/^/     /' "$log" | tail -15
  return 1
}

# stop PID: SIGTERM, and SIGKILL after 5 s. Its exit status; 143 is SIGTERM's own.
stop() {
  local one=$1 status
  kill -TERM "$one" 2>/dev/null || true
  for _ in $(seq 100); do
    kill -0 "$one" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$one" 2>/dev/null
  wait "$one" 2>/dev/null
  status=$?
  local rest=() other
  for other in "${pids[@]}"; do [ "$other" = "$one" ] || rest+=("$other"); done
  pids=("${rest[@]}")
  return $status
}

ok() { passed=$((passed + 1)); echo "ok   $1"; }
fail() { failed=$((failed + 1)); echo "FAIL $1"; }
skip() { skipped=$((skipped + 1)); echo "skip $1: $2"; }

# check NAME COMMAND...: one case; the output of the command or function is shown when it fails.
check() {
  local name=$1 out=$work/case.log
  shift
  if "$@" >"$out" 2>&1; then
    ok "$name"
  else
    fail "$name (status $?)"
    tail -n 25 "$out" | sed 's/^/     /'
  fi
}

# says NAME PATTERN COMMAND...: one case; the command must fail, soon, and say PATTERN.
says() {
  local name=$1 pattern=$2 out=$work/case.log status
  shift 2
  timeout --kill-after=5 10 "$@" >"$out" 2>&1
  status=$?
  if [ $status -gt 0 ] && [ $status -lt 124 ] && grep -qiE "$pattern" "$out"; then
    ok "$name: $(grep -iEm1 "$pattern" "$out" | cut -c1-140)"
  else
    fail "$name: status $status, wanted a failure that says /$pattern/"
    tail -n 15 "$out" | sed 's/^/     /'
  fi
}

finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

# What every test here needs; a machine that has not got it skips the whole file as one.
if [ "$(id -u)" -ne 0 ] || ! [ -e /dev/net/tun ] || ! unshare --net true 2>/dev/null; then
  skip "$(basename "$0")" "needs root, network namespaces and /dev/net/tun"
  finish
fi
for program in "$echo_server" "$http_server" "$tool" "$transfer"; do
  if [ ! -x "$program" ]; then
    fail "$program is not built"
    finish
  fi
done
