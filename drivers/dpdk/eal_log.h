// eal_log.h - DPDK's log: kept in memory, so that an error message can quote its last lines.
#pragma once

#include <string>

namespace pollux {

// From now on DPDK logs here: neither to stderr (unless `also_stderr`) nor to syslog.
void keep_eal_log(bool also_stderr);
void clear_eal_log();
// The lines since clear_eal_log(), joined by "; ", the last 500 characters of them.
std::string last_eal_log();

}  // namespace pollux
