#!/usr/bin/env bash
# databases_test.sh - redis and memcached on Pollux, with the kernel's clients, over TAP.
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"

# --- redis
redis_client() { here_kernel redis-cli -h "$stack_address" "$@"; }
# benchmark ARGUMENTS...: each test that ran says its requests per second; none says an error.
benchmark() {
  here_kernel redis-benchmark -h "$stack_address" -q "$@" | tr '\r' '\n' | tee "$work/redis.log" |
    grep -E 'requests per second|rror'
  ! grep -iE 'error|refused|reset' "$work/redis.log"
}
# Every test that redis-benchmark knows.
all_tests() {
  benchmark -n 2000 && [ "$(grep -c 'requests per second' "$work/redis.log")" -ge 20 ]
}
pipelined() { benchmark -n 50000 -P 16 -t ping,set,get,incr,lpush,rpop,mset; }
# The snapshot is of the moment, whatever is written meanwhile, and can be read.
saves_during_load() {
  here_kernel redis-benchmark -h "$stack_address" -q -c 20 -n 60000 -r 100000 -t set \
    >"$work/load.log" 2>&1 &
  local load=$!
  sleep 0.3
  [ "$(redis_client bgsave)" = "Background saving started" ] || return
  for _ in $(seq 100); do
    redis_client info persistence | tr -d '\r' >"$work/persistence"
    grep -qx rdb_bgsave_in_progress:0 "$work/persistence" && break
    sleep 0.1
  done
  grep -qx rdb_last_bgsave_status:ok "$work/persistence" && wait $load &&
    redis-check-rdb "$work/dump.rdb" | grep -q 'RDB looks OK'
}
redis_subscribes() {
  here_kernel timeout 10 redis-cli -h "$stack_address" subscribe news >"$work/news" &
  local listener=$!
  for _ in $(seq 50); do
    [ "$(redis_client publish news today)" = 1 ] && break
    sleep 0.1
  done
  grep -qx today "$work/news"
  local status=$?
  kill $listener 2>/dev/null
  return $status
}
if has redis-server "redis"; then
  serves 6379 redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir "$work" ||
    fail "redis-server"
  redis=$pid
  check "redis: all of redis-benchmark" all_tests
  check "redis: redis-benchmark -P 16" pipelined
  check "redis: BGSAVE during load" saves_during_load
  check "redis: publish and subscribe" redis_subscribes
  stop "$redis"
fi

# --- memcached
memcached_serves() {
  serves 11211 memcached -u root -t 4 -l "$stack_address" -U 11211 &&
    here_kernel python3 - "$stack_address" <<'CLIENTS'
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
tried "memcached with 4 threads, 16 clients" memcached memcached_serves
finish
