// shared.cc - Shared's two ends: its list of connections wants to know what a Connection is.
#include "stack/tcp/shared.h"

#include "stack/tcp/connection.h"

namespace pollux::tcp {

Shared::Shared(const TcpConfig& c, TextMemory text, Counters& k, Rng& r, std::uint32_t connections)
    : config(c),
      text_memory(text),
      counters(k),
      rng(r),
      scoreboards(connections),
      reassemblies(connections),
      fast_opens(connections) {}

Shared::~Shared() = default;

}  // namespace pollux::tcp
