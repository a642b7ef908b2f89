#!/usr/bin/env bash
# faults_test.sh - programs under `pollux run` that are ended, crash, or have too little of
# something: what they, their terminal and the kernel's peers see.
source "$(dirname "$0")/lib.sh" "$@"
space a
faults=$here/faults.py
run=("$tool" run -c "$root/config/tap.toml")
on_stack() { limit=30 inside "$space_a" "${run[@]}" -- python3 "$faults" "$@"; }
# peer SECONDS: a peer of the kernel's in the background, whose connection must end within them.
peer() { start "$space_a" peer.log "peer listens" python3 "$faults" peer "$1"; }
# peer_saw WORDS: the lines of the peer's log, once it has ended.
peer_saw() {
  wait "$pid"
  [ "$(tail -n +2 "$work/peer.log" | xargs)" = "$1" ] || { cat "$work/peer.log"; return 1; }
}
is() { [ "$1" = "$2" ] || { echo "$1, wanted $2"; return 1; }; }

# --- the end of a program
# ends_by SIGNAL STATUS
ends_by() {
  peer 5 || return
  on_stack victim "$1"
  is $? "$2" && peer_saw end
}
# fault-app-crash.
# As a kernel's peer sees a machine that loses its power: nothing, until the address is another's.
killed() {
  peer 0.2 || return
  local peer_pid=$pid status
  on_stack victim 9
  status=$?
  on_stack survivor
  pid=$peer_pid
  is "$status" 137 && peer_saw "silence then reset"
}
# The device goes with its process: the next one starts at once.
killed_again_and_again() {
  local i
  for i in 1 2 3; do
    peer 0.1 || return
    on_stack victim 9
    is $? 137 || return
    stop "$pid"
  done
  on_stack_works
}
on_stack_works() {
  start "$space_a" echo.log "echo listens" python3 "$faults" echo_for_ever || return
  local out
  out=$(on_stack starts_or_says)
  stop "$pid"
  is "$out" works
}
interrupted_in_a_terminal() {
  peer 5 || return
  inside "$space_a" python3 "$faults" terminal "${run[@]}" -- python3 "$faults" victim \
    >"$work/terminal.log" || return
  cat "$work/terminal.log"
  peer_saw end && grep -q "terminal unharmed" "$work/terminal.log" || return
  # python ends itself by the signal once it has said KeyboardInterrupt.
  grep -q "signal 2" "$work/terminal.log"
}
# crashes SIGNAL STATUS: soon, and without the packets in the core (kernel.core_pattern permitting).
crashes() {
  local status size
  peer 0.1 || return
  status=$(
    ulimit -c unlimited
    mkdir -p "$work/core" && cd "$work/core" || exit
    limit=10 on_stack victim "$1" >&2
    echo $?
  )
  stop "$pid"
  is "$status" "$2" || return
  size=$(du -sm "$work/core" | cut -f 1)
  rm -rf "$work/core"
  [ "$size" -lt 100 ] || { echo "core of $size MB"; return 1; }
}
check "SIGTERM: its status, and the peer sees the end" ends_by 15 143
check "SIGHUP, too" ends_by 1 129
check "Ctrl-C in a terminal: its end, the peer's, and the terminal" interrupted_in_a_terminal
check "SIGKILL: silence, and a reset by the next at the address" killed
check "SIGKILL again and again: the next start finds nothing in its way" killed_again_and_again
check "SIGSEGV: its status, soon, a small core" crashes 11 139
check "SIGABRT, too" crashes 6 134

# --- too little of something
# starts_or_says: at every limit of memory the stack works, or says why not, and the program lives.
little_memory() {
  local mb out said=0 works=0
  for mb in $(seq 150 70 1000); do
    out=$(ulimit -v $((mb * 1000)) && on_stack starts_or_says 2>"$work/why.log")
    case $out in
      works) works=$((works + 1)) ;;
      ENETDOWN)
        grep -q "pollux: the stack did not start: .*ulimit -v" "$work/why.log" || return
        said=$((said + 1))
        ;;
      *)
        echo "$mb MB: $out"
        cat "$work/why.log"
        return 1
        ;;
    esac
    [ $works -lt 2 ] || break
  done
  [ $said -gt 0 ] && [ $works -gt 0 ]
}
no_more_memory() { is "$(on_stack no_more_memory)" works; }
start "$space_a" echo.log "echo listens" python3 "$faults" echo_for_ever && {
  check "little memory: it starts or says why not" little_memory
  check "no more memory once it runs: all goes on" no_more_memory
  stop "$pid"
}

few_packets() {
  start "$space_a" reader.log "reader listens" "${run[@]}" --set stack.packets=1535 -- \
    python3 "$faults" reader_that_waits || return
  local out
  out=$(limit=60 inside "$space_a" python3 "$faults" flood 300000)
  stop "$pid"
  is "$out" works
}
few_descriptors() {
  start "$space_a" few.log "few listens" sh -c 'ulimit -n 64 && exec "$@"' sh "${run[@]}" -- \
    python3 "$faults" few_descriptors || return
  local out
  out=$(inside "$space_a" python3 "$faults" many_clients)
  wait "$pid"
  is $? 0 && is "$out" works && grep -q "EMFILE True" "$work/few.log"
}
check "no packets left: all arrives in the end" few_packets
check "64 descriptors: EMFILE, and on" few_descriptors
finish
