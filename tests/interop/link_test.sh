#!/usr/bin/env bash
# link_test.sh - the link goes down for 5 s during a transfer, and it resumes; the device is
# deleted, and every call says so.
source "$(dirname "$0")/lib.sh" "$@"
space a
tap=$work/slow.toml
cat "$root/config/tap.toml" - >"$tap" <<'END'
impair_tx = "rate=200mbit"
impair_rx = "rate=200mbit"
END
head -c $((48 << 20)) /dev/urandom >"$work/file"
sum=$(sha256sum <"$work/file")
link() { ip -n "$space_a" link set plx0 "$1"; }
size() { stat -c %s "$1" 2>/dev/null || echo 0; }

# begun FILE: at least 4 MiB of it are there.
begun() {
  for _ in $(seq 200); do
    [ "$(size "$1")" -ge $((4 << 20)) ] && return 0
    sleep 0.025
  done
  echo "nothing was transferred"
  return 1
}

# interrupted POLLUX PEER: what each of them does with the file; it is never whole while the link is
# down.
interrupted() {
  local copy=$work/copy before after
  rm -f "$copy"
  start "$space_a" server.log listening "$transfer" "$tap" listen $stack_address 7000 $1 || return
  local server=$pid
  limit=60 inside "$space_a" python3 "$peer" connect $stack_address 7000 $2 &
  local client=$!
  begun "$copy" || return
  link down || return
  sleep 0.5
  before=$(size "$copy")
  sleep 4.5
  after=$(size "$copy")
  link up || return
  [ "$before" -eq "$after" ] || { echo "$before octets became $after without a link"; return 1; }
  [ "$after" -lt $((48 << 20)) ] || { echo "it was over before the link went down"; return 1; }
  wait $client || { echo "the peer's status was not 0"; return 1; }
  wait "$server" || { echo "the server's status was not 0"; cat "$work/server.log"; return 1; }
  [ "$(sha256sum <"$copy")" = "$sum" ] || { echo "SHA-256 differs"; return 1; }
}
check "5 s without a link while Pollux sends" \
  interrupted "send $work/file" "receive $work/copy"
check "5 s without a link while Pollux receives" \
  interrupted "receive $work/copy" "send $work/file"

# ends_saying WORDS: the server ends with status 1 within 5 s.
ends_saying() {
  local status
  for _ in $(seq 200); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.025
  done
  kill -0 "$pid" 2>/dev/null && { echo "it still waits"; return 1; }
  wait "$pid"
  status=$?
  cat "$work/server.log"
  [ "$status" -eq 1 ] && grep -q "$1" "$work/server.log"
}
deleted_under_an_accept() {
  start "$space_a" server.log listening "$transfer" "$tap" listen $stack_address 7000 \
    receive "$work/copy" || return
  sleep 0.2
  ip -n "$space_a" link del plx0 || return
  ends_saying "accept: Network is down"
}
deleted_under_a_receive() {
  rm -f "$work/copy"
  start "$space_a" server.log listening "$transfer" "$tap" listen $stack_address 7000 \
    receive "$work/copy" || return
  limit=30 inside "$space_a" python3 "$peer" connect $stack_address 7000 send "$work/file" \
    >/dev/null 2>&1 &
  local client=$!
  begun "$work/copy" && ip -n "$space_a" link del plx0 && ends_saying "recv: Network is down"
  local status=$?
  kill $client 2>/dev/null
  wait $client 2>/dev/null
  return $status
}
check "the device is deleted while a program accepts" deleted_under_an_accept
check "the device is deleted while a program receives" deleted_under_a_receive
finish
