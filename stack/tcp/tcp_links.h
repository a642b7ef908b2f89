// tcp_links.h - TcpLinks: where a Connection is listed and who still holds it; Tcp's bookkeeping.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <cstdint>

namespace pollux::tcp {

class Connection;
class Listener;
struct PortUse;

struct WaitingTag;
// Half-open children, the accept queue, and what was accepted before its handshake ended: a child
// is on one of the three lists of its listener.
using WaitingHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<WaitingTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// A member of every Connection (Connection::links), written by Tcp only. A Connection is destroyed
// when in_demux, has_user and listener are all false or null and it has nothing left to send.
struct TcpLinks : WaitingHook {
  Connection* hash_next = nullptr;  // in the demultiplexer
  Listener* listener = nullptr;     // while half-open, waiting to be accepted, or is_fast_open
  PortUse* port = nullptr;          // the local port it holds while in_demux
  std::uint32_t created_ms = 0;     // of half-open children: when the SYN came
  bool in_demux = false;
  bool has_user : 1 = false;      // a socket refers to it
  bool is_waiting : 1 = false;    // in the accept queue; otherwise, with a listener, half-open
  bool is_fast_open : 1 = false;  // in SYN-RECEIVED, open already: is_waiting, or accepted
};

}  // namespace pollux::tcp
