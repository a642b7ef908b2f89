#!/usr/bin/env bash
# privilege_test.sh - who may do what: programs without privileges, set-user-ID programs, and what a
# program under `pollux run` leaves where others can see it.
source "$(dirname "$0")/lib.sh" "$@"
space a
run=("$tool" run -c "$root/config/loopback.toml" --)
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all)
preload=$build/apps/preload/libpollux-preload.so

# --- without privileges
# The places here may be closed to others: what nobody runs and reads stands where it may.
copy=$work/build
mkdir -p "$copy"/{apps/pollux,apps/preload,stack/api}
cp "$tool" "$copy/apps/pollux" && cp "$preload" "$copy/apps/preload"
cp "$build/stack/api/libpollux.so.0" "$copy/stack/api"
cp "$root"/config/{loopback,tap}.toml "$work"
cat >"$work/talk.py" <<'TALK'
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.sendall(b"octets")
assert listener.accept()[0].recv(100)
assert os.getuid() == 65534
TALK
chmod -R a+rX "$work"
as_nobody() {
  local config=$1
  shift
  (cd / && inside "$space_a" "${nobody[@]}" "$copy/apps/pollux/pollux" run \
    -c "$work/$config.toml" -- /usr/bin/python3 "$@")
}
# The kernel's end of a device needs the capability; which one it is, is said.
tap_as_nobody() {
  as_nobody tap -c 'import socket; socket.create_connection(("198.18.0.9", 9))' 2>"$work/said"
  cat "$work/said"
  grep -q "needs CAP_NET_ADMIN" "$work/said" && grep -q "Network is down" "$work/said"
}
check "nobody has a stack of their own" as_nobody loopback "$work/talk.py"
check "nobody has no TAP, and is told why" tap_as_nobody

# --- set-user-ID: the environment is somebody else's
shown_by_set_user_id() {
  cp /bin/cat "$work/cat" && chmod 4755 "$work/cat" || return
  (cd / && "${nobody[@]}" env LD_PRELOAD="$copy/apps/preload/libpollux-preload.so" \
    POLLUX_LIBRARY="$copy/stack/api/libpollux.so.0" POLLUX_CONFIG="$work/loopback.toml" \
    POLLUX_RULES="at 0.0.0.0/0 stack;to 0.0.0.0/0 stack;" "$@" /proc/self/maps)
}
set_user_id_is_inert() {
  shown_by_set_user_id /bin/cat | grep -q libpollux-preload || return
  shown_by_set_user_id "$work/cat" >"$work/maps" 2>/dev/null || return
  grep -q libc "$work/maps" && ! grep libpollux "$work/maps"
}
check "a set-user-ID program does not see the library" set_user_id_is_inert

# --- what others can see
# A program with an open connection: no file of its own in any place for them, no memory that has a
# name, no device that outlives it.
cat >"$work/look.py" <<'LOOK'
import os, re, socket, stat
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
for line in open("/proc/self/maps"):
    shared = re.match(r"\S+ .w.s \S+ \S+ \d+ +(/.*)", line)
    assert not shared or shared[1].startswith("/memfd:"), line
for number in os.listdir("/proc/self/fd"):
    try:
        status = os.fstat(int(number))
        where = os.readlink("/proc/self/fd/" + number)
    except OSError:
        continue  # Pollux's own are not to be seen
    assert int(number) < 3 or not stat.S_ISREG(status.st_mode) or status.st_nlink == 0, where
print("looked")
LOOK
leaves_nothing() {
  mkdir -p "$work/runtime" "$work/temporary"
  find /run /var/run /dev/shm /dev/hugepages -newer "$work/look.py" >"$work/before" 2>/dev/null
  env XDG_RUNTIME_DIR="$work/runtime" TMPDIR="$work/temporary" HOME="$work/temporary" \
    ip netns exec "$space_a" "${run[@]}" python3 -B "$work/look.py" >"$work/looked" || return
  find /run /var/run /dev/shm /dev/hugepages -newer "$work/look.py" 2>/dev/null >"$work/after"
  find "$work/runtime" "$work/temporary" -mindepth 1 >>"$work/after"
  grep -q looked "$work/looked" && ! grep -iE 'pollux|dpdk|rte_|rtemap' "$work/after"
}
check "nothing is left in anybody's sight" leaves_nothing
# What went over the wire is in no log, however much is logged.
logs_no_octets() {
  sed '/getuid/d' "$work/talk.py" | sed 's/octets/OPENSESAME/' >"$work/secret.py"
  inside "$space_a" "$tool" run -c "$root/config/loopback.toml" --set stack.log=debug -- \
    python3 "$work/secret.py" >"$work/logged" 2>&1 || return
  [ -s "$work/logged" ] && ! grep -q OPENSESAME "$work/logged"
}
check "the log has no octets of the program's" logs_no_octets
finish
