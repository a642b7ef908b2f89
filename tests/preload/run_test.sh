#!/usr/bin/env bash
# run_test.sh - runs a program under the preload library with the rules that pairs.h speaks of.
# Usage: run_test.sh LIBPOLLUX LIBPRELOAD CONFIG PROGRAM...
set -eu
export POLLUX_LIBRARY=$1 POLLUX_CONFIG=$3
kernels="at 127.0.0.2/32 kernel;to 127.0.0.2/32 kernel;"
export POLLUX_RULES="${kernels}at 0.0.0.0/0 stack;to 0.0.0.0/0 stack;at ::/0 stack;to ::/0 stack;"
export LD_PRELOAD=$2${LD_PRELOAD:+:$LD_PRELOAD}
shift 3
exec "$@"
