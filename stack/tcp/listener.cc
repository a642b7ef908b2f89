// listener.cc - the lists of a listener: handshakes in progress, connections to accept.
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

void Listener::add_fast_open(TcpLinks& child) {
  add_half_open(child);
  complete(child);
  child.is_fast_open = true;
  fast_open_queue_.add();
}

void Listener::end_fast_open(TcpLinks& child) {
  CHECK(child.listener == this && child.is_fast_open);
  if (!child.is_waiting) return remove(child);
  child.is_fast_open = false;
  fast_open_queue_.remove();
}

void Listener::accept(TcpLinks& child) {
  CHECK(child.listener == this && child.is_waiting);
  if (!child.is_fast_open) return remove(child);
  waiting_.erase(waiting_.iterator_to(child));
  --waiting_count_;
  child.is_waiting = false;
  opening_.push_back(child);
}

void Listener::remove(TcpLinks& child) {
  CHECK(child.listener == this);
  const bool is_opening = child.is_fast_open && !child.is_waiting;
  List& list = child.is_waiting ? waiting_ : is_opening ? opening_ : half_open_;
  list.erase(list.iterator_to(child));
  if (!is_opening) --(child.is_waiting ? waiting_count_ : half_open_count_);
  if (child.is_fast_open) fast_open_queue_.remove();
  child.listener = nullptr;
  child.is_waiting = child.is_fast_open = false;
}

TcpLinks* Listener::first_half_open() { return half_open_.empty() ? nullptr : &half_open_.front(); }

TcpLinks* Listener::first_waiting() { return waiting_.empty() ? nullptr : &waiting_.front(); }

TcpLinks* Listener::first_opening() { return opening_.empty() ? nullptr : &opening_.front(); }

bool Listener::defers(const TcpLinks& child, const Segment& seg, Instant now) const {
  if (defer_accept_ == Duration()) return false;
  const Duration age = Duration::ms(milliseconds(now) - child.created_ms);
  if (age >= defer_accept_) return false;
  return seg.text_length == 0 && !seg.ctl.has(FIN);
}

}  // namespace pollux::tcp
