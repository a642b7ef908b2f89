#!/usr/bin/env bash
# vlan_test.sh - two stacks in one VLAN: the tag of one is its driver's work (a packet socket),
# that of the other the stack's own (libpcap); and jumbo frames over shared memory.
source "$(dirname "$0")/lib.sh" "$@"
space a
for_stack() { # NAME ADDRESS DEVICE
  cat >"$work/$1.toml" <<END
[[port]]
name = "lan"
device = "$3"
addresses = ["$2/24"]
END
}
pings() { inside "$space_a" "$tool" ping -c "$work/two.toml" --count 3 --interval 0.05 "$@"; }
pings_in_vain() { ! limit=3 inside "$space_a" "$tool" ping -c "$work/two.toml" --count 1 "$@"; }
measures() {
  inside "$space_a" "$tool" latency -c "$work/two.toml" --port 7 --count 200 --warmup 0 "$@"
}
# serve SETTINGS...: echo as the first stack.
serve() {
  start "$space_a" echo.log listening "$echo_server" -c "$work/one.toml" "$@" --port 7 && return
  fail "echo does not start: $*"
  return 1
}

ip -n "$space_a" link add plxa type veth peer name plxb
for end in plxa plxb; do
  ip -n "$space_a" link set "$end" up
done
for_stack one $stack_address net_af_packet0,iface=plxa
for_stack two $kernel_address net_pcap0,iface=plxb
if serve --set port.lan.vlan=7; then
  check "VLAN 7: ping" pings --set port.lan.vlan=7 $stack_address
  check "VLAN 7: requests and answers" measures --set port.lan.vlan=7 $stack_address
  check "another VLAN is not answered" pings_in_vain --set port.lan.vlan=8 $stack_address
  check "nor are untagged frames" pings_in_vain $stack_address
  stop "$pid"
fi

path=rsize=10,socket=$work/memif.sock,socket-abstract=no
for_stack one $stack_address "net_memif0,role=server,$path"
for_stack two $kernel_address "net_memif0,role=client,$path"
if serve --set port.lan.mtu=9000; then
  jumbo=(--set port.lan.mtu=9000)
  check "mtu 9000: 8,900 octets in a frame" pings "${jumbo[@]}" --size 8900 $stack_address
  check "mtu 9000: requests and answers of 20,000 octets" \
    measures "${jumbo[@]}" --size 20000 $stack_address
  stop "$pid"
fi
finish
