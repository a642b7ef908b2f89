#!/usr/bin/env bash
# path_test.sh - two routers between Pollux and the kernel: a narrow hop that says so, one that does
# not, and ECN from either end.
# Rows: 1191-3a, 4821-7, fault-black-hole, 3168-6.1.1a.
source "$(dirname "$0")/lib.sh" "$@"
# Pollux - TAP - near - 1,300 octets - middle - 1,500 octets - far
space near
space middle
space far
far=198.19.2.2
join() {
  ip -n "$1" link add "$2" mtu "$5" type veth peer name "$4" netns "$3" mtu "$5" || exit 1
  ip -n "$1" link set "$2" up
  ip -n "$3" link set "$4" up
}
join "$space_near" to_middle "$space_middle" to_near 1300
join "$space_middle" to_far "$space_far" to_middle 1500
ip -n "$space_near" address add 198.19.1.1/30 dev to_middle
ip -n "$space_middle" address add 198.19.1.2/30 dev to_near
ip -n "$space_middle" address add 198.19.2.1/24 dev to_far
ip -n "$space_far" address add $far/24 dev to_middle
ip -n "$space_near" route add 198.19.2.0/24 via 198.19.1.2
ip -n "$space_middle" route add 198.18.0.0/24 via 198.19.1.1
ip -n "$space_far" route add 198.18.0.0/24 via 198.19.2.1
for one in "$space_near" "$space_middle"; do
  ip netns exec "$one" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
done
asking=$work/asking.toml
{ echo "[tcp]"; echo "ecn = 1"; cat "$root/config/tap.toml"; } >"$asking"
head -c $((4 << 20)) /dev/urandom >"$work/file"
sum=$(sha256sum <"$work/file")

# sends CONFIG: the file from Pollux, which connects, to the far end.
sends() {
  rm -f "$work/copy"
  start "$space_far" peer.log listening python3 "$peer" listen $far 7000 receive "$work/copy" ||
    return
  local server=$pid
  inside "$space_near" "$transfer" "$1" connect $far 7000 send "$work/file" || return
  wait "$server" || { cat "$work/peer.log"; return 1; }
  [ "$(sha256sum <"$work/copy")" = "$sum" ] || { echo "SHA-256 differs"; return 1; }
}
# receives CONFIG: the file to Pollux, which listens, from the far end.
receives() {
  rm -f "$work/copy"
  start "$space_near" server.log listening "$transfer" "$1" listen $stack_address 7000 \
    receive "$work/copy" || return
  local server=$pid
  inside "$space_far" python3 "$peer" connect $stack_address 7000 send "$work/file" || return
  wait "$server" || { cat "$work/server.log"; return 1; }
  [ "$(sha256sum <"$work/copy")" = "$sum" ] || { echo "SHA-256 differs"; return 1; }
}
# counted SPACE NAME: what the kernel there has counted.
counted() { ip netns exec "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }
# grows LEAST MOST SPACE NAME COMMAND...: the command counts that many.
grows() {
  local least=$1 most=$2 where=$3 name=$4 before n
  shift 4
  before=$(counted "$where" "$name")
  "$@" || return
  n=$(($(counted "$where" "$name") - before))
  echo "$name grew by $n, from $least to $most are right"
  [ "$n" -ge "$least" ] && [ "$n" -le "$most" ]
}

check "a narrow hop tells Pollux, which sends smaller segments" \
  grows 1 20 "$space_near" IcmpOutDestUnreachs sends "$root/config/tap.toml"
# The router forwards, and cannot say anything itself.
ip -n "$space_near" rule add iif lo to $stack_address blackhole
limit=20 check "a black hole: Pollux finds out by itself" \
  grows 0 0 "$space_near" IcmpOutDestUnreachs sends "$root/config/tap.toml"
ip -n "$space_near" rule del iif lo to $stack_address blackhole
# The far end learns what its path takes, and its SYNs say so from then on.
check "a narrow hop between the kernel and Pollux" receives "$root/config/tap.toml"

ecn() { ip netns exec "$space_far" sh -c "echo $1 >/proc/sys/net/ipv4/tcp_ecn"; }
many=1000000
ecn 1
check "the kernel asks for ECN, Pollux answers" \
  grows 1000 $many "$space_near" IpExtInECT0Pkts receives "$root/config/tap.toml"
ecn 2
check "Pollux asks for ECN, the kernel answers" \
  grows 1000 $many "$space_far" IpExtInECT0Pkts sends "$asking"
check "nobody asks for ECN" grows 0 0 "$space_far" IpExtInECT0Pkts sends "$root/config/tap.toml"
ecn 0
check "Pollux asks for ECN, the kernel declines" \
  grows 0 0 "$space_far" IpExtInECT0Pkts sends "$asking"
finish
