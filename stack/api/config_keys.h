// config_keys.h - every key of the configuration: name, field, range. config/README.md says the
// rest.
#pragma once

// X(key, field of Config, smallest, largest); section [stack]
#define POLLUX_STACK_KEYS(X)                                    \
  X("queues", queues, 1, 64)                                    \
  X("packets", packets, 255, 4194303)                           \
  X("descriptors", descriptors, 16, 16777216)                   \
  X("sockets", sockets, 16, 16777216)                           \
  X("connections", connections, 16, 16777216)                   \
  X("listeners", listeners, 1, 1048576)                         \
  X("time_waits", time_waits, 16, 16777216)                     \
  X("epoll_sets", epoll_sets, 1, 1048576)                       \
  X("epoll_watches", epoll_watches, 16, 67108864)               \
  X("kernel_files", kernel_files, 16, 1048576)                  \
  X("neighbours", neighbours, 16, 65536)                        \
  X("memory_mb", memory_mb, 0, 1048576)                         \
  X("poll_ceiling_usecs", poll_ceiling_usecs, 1, 1000000)       \
  X("softirq_usecs", softirq_usecs, 100, 10000000)              \
  X("busy_poll", busy_poll.busy_poll_usecs, 0, 2147483647)      \
  X("busy_read", busy_read, 0, 2147483647)                      \
  X("busy_poll_budget", busy_poll.busy_poll_budget, 1, 64)      \
  X("napi_defer_hard_irqs", irqs.napi_defer_hard_irqs, 0, 1000) \
  X("gro_flush_timeout", irqs.gro_flush_timeout, 0, 1000000000) \
  X("irq_suspend_timeout", irqs.irq_suspend_timeout, 0, 10000000000)

// X(key, field of Config::tcp, unit, smallest, largest); section [tcp]. Durations carry their unit.
#define POLLUX_TCP_DURATION_KEYS(X)                    \
  X("min_rto_ms", min_rto, ms, 1, 60000)               \
  X("max_rto_ms", max_rto, ms, 1000, 3600000)          \
  X("initial_rto_ms", initial_rto, ms, 10, 60000)      \
  X("time_wait_ms", time_wait, ms, 0, 600000)          \
  X("fin_wait_2_ms", fin_wait_2, ms, 1, 600000)        \
  X("delayed_ack_min_ms", delayed_ack_min, ms, 1, 499) \
  X("delayed_ack_max_ms", delayed_ack_max, ms, 1, 499)
#define POLLUX_TCP_KEYS(X)                                      \
  X("syn_retries", syn_retries, 1, 127)                         \
  X("synack_retries", synack_retries, 0, 127)                   \
  X("syncookies", syncookies, 0, 2)                             \
  X("fastopen", fastopen, 0, 2047)                              \
  X("retries1", retries1, 3, 255)                               \
  X("retries2", retries2, 3, 255)                               \
  X("orphan_retries", orphan_retries, 0, 255)                   \
  X("keepalive_time_s", keepalive_time_s, 1, 32767)             \
  X("keepalive_interval_s", keepalive_interval_s, 1, 32767)     \
  X("keepalive_probes", keepalive_probes, 1, 127)               \
  X("send_buffer", send_buffer, 4096, 1073741824)               \
  X("send_buffer_max", send_buffer_max, 4096, 1073741824)       \
  X("receive_buffer", receive_buffer, 2304, 1073741824)         \
  X("receive_buffer_max", receive_buffer_max, 2304, 1073741824) \
  X("ecn", ecn, 0, 2)                                           \
  X("mtu_probing", mtu_probing, 0, 2)
#define POLLUX_TCP_SWITCHES(X)        \
  X("timestamps", timestamps)         \
  X("window_scaling", window_scaling) \
  X("sack", sack)

// Keys that are read one by one, so that a near miss can be named.
#define POLLUX_STACK_OTHER_KEYS "threads", "hugepages", "log", "ports", "prefer_busy_poll"
#define POLLUX_PORT_KEYS                                                                    \
  "name", "device", "addresses", "gateway", "kernel_address", "mtu", "vlan", "descriptors", \
      "checksum_offload", "tso", "lro", "rx_interrupts", "probe", "impair_rx", "impair_tx", \
      "impair_seed", "capture"
#define POLLUX_PRELOAD_KEYS "loopback"
#define POLLUX_SECTIONS "stack", "tcp", "port", "preload"
