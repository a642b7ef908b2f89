#!/usr/bin/env bash
# web_test.sh - nginx and haproxy on Pollux, with a thousand connections and in front of each other.
source "$(dirname "$0")/lib.sh" "$@"
source "$(dirname "$0")/preload.sh"

# nginx_serves NAME PORTS: nginx on Pollux with $work/NAME.conf.
nginx_serves() {
  web_conf "$1" "" "$2"
  in_background "${many[@]}" nginx -c "$work/$1.conf"
  port_is_open "$stack_address" 80
}
no_alarm() { ! grep -E 'alert|emerg|crit' "$work/nginx.err"; }

sendfile_of_100_mb() {
  head -c 100000000 /dev/urandom >"$work/large" && chmod 644 "$work/large" || return
  fetch 80 large | cmp - "$work/large" && fetch 80 large | cmp - "$work/large" && no_alarm
}
keeps_alive() {
  here_kernel curl -sSv "http://$stack_address/page" "http://$stack_address/page" \
    "http://$stack_address/page" 2>&1 | tee "$work/curl.log" | grep -c '^hello$' | grep -qx 3 &&
    [ "$(grep -c 'Re-using existing connection' "$work/curl.log")" = 2 ] &&
    here_kernel ab -q -k -n 5000 -c 20 "http://$stack_address/page" >"$work/ab.log" &&
    grep -Eq 'Failed requests: +0' "$work/ab.log" &&
    grep -Eq 'Keep-Alive requests: +5000' "$work/ab.log"
}
# A thousand of wrk's, none of which may fail.
thousand() {
  here_kernel wrk -t 2 -c 1000 -d 4 --timeout 10 "http://$stack_address:$1/page" |
    tee "$work/wrk.log"
  grep -Eq ' [1-9][0-9]{3,} requests in' "$work/wrk.log" &&
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk.log" && no_alarm
}
on_any_address() {
  [ "$(fetch 80 page)" = hello ] && [ "$(fetch 81 page)" = hello ] &&
    here_kernel curl -sS "http://$stack_address:82/page" | grep -qx hello
}

nginx_alone() {
  nginx_serves nginx "listen 0.0.0.0:80; listen [::]:80; listen 0.0.0.0:81;
    listen [::]:82 ipv6only=off;" || return
}
if has nginx "nginx"; then
  nginx_alone || fail "nginx"
  nginx=$pid
  check "nginx: on 0.0.0.0, on [::] and on both in one" on_any_address
  check "nginx: a file of 100 MB by sendfile" sendfile_of_100_mb
  has ab "nginx" && check "nginx: keep-alive" keeps_alive
  has wrk "nginx" && check "nginx: wrk with 1,000 connections" thousand 80
  stop "$nginx"
fi

# --- one in front of the other
# haproxy_conf BIND SERVER
haproxy_conf() {
  cat >"$work/haproxy.cfg" <<CONF
global
  maxconn 4000
defaults
  mode http
  option splice-auto
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind $1:8080
  default_backend b
backend b
  server s $2
CONF
}
haproxy_in_front() {
  web_conf behind "" "listen 8000;"
  kernels 8000 nginx -c "$work/behind.conf" || return
  haproxy_conf "$stack_address" "$kernel_address:8000"
  in_background "${many[@]}" haproxy -f "$work/haproxy.cfg"
  port_is_open "$stack_address" 8080 && fetch 8080 big | is_big
}
haproxy_with_a_thousand() { haproxy_in_front && thousand 8080; }
nginx_behind() {
  nginx_serves nginx "listen 80;" || return
  haproxy_conf "$kernel_address" "$stack_address:80"
  in_background haproxy -f "$work/haproxy.cfg"
  port_is_open "$kernel_address" 8080 &&
    here_kernel curl -sS --max-time 20 "http://$kernel_address:8080/big" | is_big &&
    here_kernel wrk -t 1 -c 100 -d 2 "http://$kernel_address:8080/page" | tee "$work/wrk.log"
  grep -Eq ' [1-9][0-9]{2,} requests in' "$work/wrk.log" &&
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk.log"
}
# Two stacks, each with a TAP device of its own; the kernel between them forwards.
both_on_pollux() {
  sed 's/plx0/plx1/; s/198\.18\.0\./198.18.1./' "$config" >"$work/second.toml"
  ip netns exec "$space_a" sysctl -qw net.ipv4.ip_forward=1
  web_conf nginx "" "listen 80;"
  in_background "$tool" run -c "$work/second.toml" -- nginx -c "$work/nginx.conf"
  port_is_open 198.18.1.2 80 || return
  haproxy_conf "$stack_address" 198.18.1.2:80
  in_background "${run[@]}" haproxy -f "$work/haproxy.cfg"
  port_is_open "$stack_address" 8080 && fetch 8080 big | is_big &&
    here_kernel wrk -t 1 -c 50 -d 2 "http://$stack_address:8080/page" | tee "$work/wrk.log"
  grep -Eq ' [1-9][0-9]{2,} requests in' "$work/wrk.log" &&
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk.log"
}
if has nginx "haproxy"; then
  tried "haproxy in front of nginx on the kernel" haproxy haproxy_in_front
  has wrk "haproxy" && tried "haproxy: wrk with 1,000 connections" haproxy haproxy_with_a_thousand
  tried "haproxy on the kernel in front of nginx" haproxy nginx_behind
  tried "haproxy in front of nginx, a stack each" haproxy both_on_pollux
fi
finish
