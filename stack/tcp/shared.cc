// shared.cc - Shared's two ends: its list of connections wants to know what a Connection is.
#include "stack/tcp/shared.h"

#include <algorithm>

#include "stack/tcp/connection.h"

namespace pollux::tcp {
namespace {
constexpr std::uint32_t kMostMtuProbes = 0xffff;  // a Connection has 16 bits for its own
}

Shared::Shared(const TcpConfig& c, TextMemory text, Counters& k, Rng& r, std::uint32_t connections)
    : config(c),
      text_memory(text),
      counters(k),
      rng(r),
      scoreboards(connections),
      reassemblies(connections),
      fast_opens(connections),
      mtu_probes(std::min(connections, kMostMtuProbes)) {}

Shared::~Shared() = default;

}  // namespace pollux::tcp
