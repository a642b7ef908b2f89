// listener.cc - the two lists of a listener: handshakes in progress, connections to accept.
#include "stack/tcp/listener.h"

#include "stack/base/check.h"

namespace pollux::tcp {

void Listener::add_half_open(TcpLinks& child) {
  CHECK(!child.listener);
  child.listener = this;
  child.is_waiting = false;
  half_open_.push_back(child);
  ++half_open_count_;
}

void Listener::complete(TcpLinks& child) {
  CHECK(child.listener == this && !child.is_waiting);
  half_open_.erase(half_open_.iterator_to(child));
  --half_open_count_;
  child.is_waiting = true;
  waiting_.push_back(child);
  ++waiting_count_;
  readable_ = true;
}

void Listener::remove(TcpLinks& child) {
  CHECK(child.listener == this);
  List& list = child.is_waiting ? waiting_ : half_open_;
  list.erase(list.iterator_to(child));
  --(child.is_waiting ? waiting_count_ : half_open_count_);
  child.listener = nullptr;
  child.is_waiting = false;
}

TcpLinks* Listener::first_half_open() { return half_open_.empty() ? nullptr : &half_open_.front(); }

TcpLinks* Listener::first_waiting() { return waiting_.empty() ? nullptr : &waiting_.front(); }

bool Listener::defers(const TcpLinks& child, const Segment& seg, Instant now) const {
  if (defer_accept_ == Duration()) return false;
  const Duration age = Duration::ms(milliseconds(now) - child.created_ms);
  if (age >= defer_accept_) return false;
  return seg.text_length == 0 && !seg.ctl.has(FIN);
}

}  // namespace pollux::tcp
