#!/usr/bin/env bash
# http_test.sh - apps/http over TAP: a web client's rights, and wrk with 1,000 connections.
source "$(dirname "$0")/lib.sh" "$@"
space a
mkdir "$work/site"
head -c 4096 /dev/urandom >"$work/site/page"
if ! start "$space_a" http.log listening "$http_server" -c "$root/config/tap.toml" \
  --root "$work/site" --port 80; then
  fail "http does not start"
  finish
fi
server=$pid

wrk_without_errors() {
  inside "$space_a" wrk -t 2 -c 1000 -d "${SECONDS_OF_WRK:-10}" --timeout 10s \
    "http://$stack_address:80/page" >"$work/wrk.log" 2>&1 || return 1
  cat "$work/wrk.log"
  ! grep -qE 'Socket errors|Non-2xx' "$work/wrk.log" &&
    [ "$(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$work/wrk.log")" -gt 1000 ]
}
check "wrk, 1,000 keep-alive connections, 10 s, no error" wrk_without_errors
sed -n 's/^\(Requests.sec.*\)/     \1/p' "$work/wrk.log"
check "and another connection after it" inside "$space_a" curl -sS --max-time 5 -o /dev/null \
  "http://$stack_address/page"

if [ -f "$root/tests/apps/http_test.py" ]; then
  check "the rights of a web client" inside "$space_a" python3 "$root/tests/apps/http_test.py" \
    $stack_address 80 "$work/site"
fi
check "the server still runs" kill -0 "$server"
stop "$server"
status=$?
[ $status -eq 0 ] && ok "SIGTERM ends it with status 0" || fail "SIGTERM: status $status"
finish
