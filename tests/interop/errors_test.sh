#!/usr/bin/env bash
# errors_test.sh - a stream's ICMP errors: the kernel's answers over veth, and Pollux's over TAP.
# They are the same to the letter (MUST-47, MUST-54, MUST-56, SHLD-25).
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"

# kernel_says LOG: in a namespace of its own, whose other end complains.
kernel_says() {
  space kernel
  space wire
  ip -n "$space_kernel" link add veth0 type veth peer name veth1 netns "$space_wire"
  ip -n "$space_kernel" address add 198.18.0.2/24 dev veth0
  ip -n "$space_kernel" link set veth0 up
  ip -n "$space_wire" link set veth1 up
  start "$space_wire" wire.log complains python3 "$here/complainer.py" veth1 &&
    inside "$space_kernel" python3 "$here/errors.py" >"$1"
}
# pollux_says LOG: the device exists as long as the program runs, so the complainer waits for it.
pollux_says() {
  cat >"$work/on_tap.sh" <<'END'
until ip link show plx0 up >/dev/null 2>&1; do sleep 0.02; done
exec python3 "$1" plx0
END
  in_background bash "$work/on_tap.sh" "$here/complainer.py"
  client bash -c 'python3 -c "import socket; socket.socket().close()"; exec python3 "$1"' - \
    "$here/errors.py" >"$1"
}
same_answers() {
  kernel_says "$work/kernel" && pollux_says "$work/pollux" && [ -s "$work/kernel" ] &&
    diff "$work/kernel" "$work/pollux"
}

check "ICMP errors about streams: the kernel's answers" same_answers
finish
