#!/usr/bin/env bash
# conflict_test.sh - addresses that are asked for before they are used (RFC 5227), over TAP.
source "$(dirname "$0")/lib.sh" "$@"
space a
probing() {
  cat >"$work/$1.toml" <<END
[[port]]
device = "net_tap0,iface=plx0"
addresses = ["$2/24"]
kernel_address = "$kernel_address/24"
probe = true
END
}
cat >"$work/on_tap.sh" <<'END'
until ip link show plx0 up >/dev/null 2>&1; do sleep 0.02; done
exec python3 "$1" plx0
END

# 5227-2.1
nobody_has_it() {
  probing free $stack_address
  start "$space_a" echo.log listening "$echo_server" -c "$work/free.toml" --port 2007 &&
    inside "$space_a" python3 "$peer" echo $stack_address 2007 1000
}
# 5227-2.1: complainer.py answers for 198.18.0.88.
another_has_it() {
  probing taken 198.18.0.88
  ip netns exec "$space_a" bash "$work/on_tap.sh" "$here/complainer.py" >/dev/null &
  pids+=($!)
  ! inside "$space_a" "$echo_server" -c "$work/taken.toml" --port 2007 >"$work/taken.log" 2>&1 &&
    grep "another host has the address 198.18.0.88" "$work/taken.log"
}
check "an address that nobody has is taken" nobody_has_it
stop "$pid"
check "an address that another host has ends the start" another_has_it
finish
