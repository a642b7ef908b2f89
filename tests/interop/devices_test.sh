#!/usr/bin/env bash
# devices_test.sh - the same echo binary on every device, by changing only the configuration file.
source "$(dirname "$0")/lib.sh" "$@"
space a
space b

# serve NAME CONFIG ARGUMENTS...: echo in the first namespace.
serve() {
  local name=$1
  shift
  if start "$space_a" "echo-$name.log" listening "$echo_server" -c "$@" --port 7; then
    ok "$name: $(grep -m1 listening "$work/echo-$name.log")"
    return 0
  fi
  fail "$name: echo does not start"
  return 1
}

end() {
  stop "$pid"
  local status=$?
  [ $status -eq 0 ] && ok "$1: SIGTERM ends it with status 0" || fail "$1: ended with $status"
}

if serve net_tap "$root/config/tap.toml"; then
  check "net_tap: the kernel's client" \
    inside "$space_a" python3 "$peer" echo $stack_address 7 1000000
  check "net_tap: the kernel's datagrams" inside "$space_a" python3 "$peer" udp $stack_address 7
  end net_tap
fi

# Two processes; the socket of the file is overridden so that two runs never meet.
path=socket=$work/memif.sock,socket-abstract=no
memif=(--set "port.memif0.device=net_memif0,role=server,$path")
memif_b=(--set "port.memif0.device=net_memif0,role=client,$path")
if serve net_memif "$root/config/memif-a.toml" "${memif[@]}"; then
  check "net_memif: another process pings" inside "$space_b" "$tool" ping \
    -c "$root/config/memif-b.toml" "${memif_b[@]}" --count 20 --interval 0.01 198.18.0.1
  check "net_memif: another process measures" inside "$space_b" "$tool" latency \
    -c "$root/config/memif-b.toml" "${memif_b[@]}" --port 7 --count 1000 --warmup 0.1 198.18.0.1
  end net_memif
fi

ip -n "$space_a" link add plx1 type veth peer name veth0 netns "$space_b"
ip -n "$space_a" link set plx1 up
ip -n "$space_b" link set veth0 up
ip -n "$space_b" addr add $kernel_address/24 dev veth0
# A veth leaves checksums to the other end; what a packet socket sees must have them.
inside "$space_b" ethtool -K veth0 tx off >/dev/null 2>&1
if serve net_af_packet "$root/config/af_packet.toml"; then
  check "net_af_packet: the kernel's ping" \
    inside "$space_b" ping -n -q -c 20 -i 0.01 $stack_address
  check "net_af_packet: the kernel's client" \
    inside "$space_b" python3 "$peer" echo $stack_address 7 1000000
  end net_af_packet
fi

if serve loopback "$root/config/loopback.toml"; then end loopback; fi
finish
