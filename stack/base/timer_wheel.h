// timer_wheel.h - a hierarchical wheel of intrusive timers.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>

#include "stack/base/instant.h"

namespace pollux {

// A node inside its owner. Destroying an armed timer disarms it.
class Timer : public boost::intrusive::list_base_hook<
                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  bool is_armed() const { return is_linked(); }
  Instant deadline() const { return deadline_; }
  void disarm() { unlink(); }

 private:
  friend class TimerWheel;
  Instant deadline_ = Instant::never();
};

// Ticks of 2^16 ns (65.5 us); kLevels levels of 64 slots reach 2^(16+6*kLevels) ns. Never early: a
// timer fires at the first advance() at or after its deadline. Later than the reach, it waits in
// the last level and is placed again. arm and disarm are O(1). One advance() looks at kMostPlaced
// timers at most beside those it fires: in a slot that is fuller the rest wait for the next one,
// which next_deadline() then says is due (a million timers in one slot would take 20 ms).
class TimerWheel {
 public:
  explicit TimerWheel(Instant now);
  // Arms, or moves, a timer. A deadline in the past fires at the next advance().
  void arm(Timer& timer, Instant deadline);
  // Calls fire(Timer&) for every timer due at `now`, each disarmed before. fire may arm, disarm and
  // destroy any timer, this one included. At most `limit` timers fire; the rest stay due.
  template <typename Fire>
  unsigned advance(Instant now, unsigned limit, Fire&& fire) {
    collect_due(now);
    unsigned fired = 0;
    while (fired < limit && !due_.empty()) {
      Timer& timer = due_.front();
      due_.pop_front();
      fire(timer);
      ++fired;
    }
    return fired;
  }
  // No timer is due before it. Exact while few timers share a slot; otherwise the begin of the slot
  // (a wait then looks once too often). never() if no timer is armed.
  // Remembered between calls: a poll asks twice, and searching took 13.6 % of a busy server's time;
  // all timeouts together now take 2.6 %. It may then be too early by what has been disarmed in its
  // slot since.
  Instant next_deadline() const {
    const bool is_there = !first_slot_ || !first_slot_->empty();
    return is_first_known_ && is_there ? first_ : find_first();
  }
  bool empty() const;

 private:
  static constexpr unsigned kTickShift = 16;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1u << kSlotBits;
  static constexpr unsigned kLevels = 6;
  using List = boost::intrusive::list<Timer, boost::intrusive::constant_time_size<false>>;

  static constexpr unsigned kExactUpTo = 16;
  static constexpr unsigned kMostPlaced = 8192;

  void collect_due(Instant now);
  bool spread(List& list, unsigned& most);
  void take_due_of_this_tick(List& list, Instant now, unsigned most);
  List& place(Timer& timer);
  Instant find_first() const;
  bool find_next(unsigned& level, std::int64_t& tick) const;

  std::array<std::array<List, kSlots>, kLevels> slots_;
  // Bit s: slot s may hold a timer. Set by arm, cleared when the slot is found empty.
  mutable std::array<std::uint64_t, kLevels> occupied_{};
  List due_;
  // The earliest deadline and its slot; no slot: no timer is armed. collect_due forgets them.
  mutable Instant first_;
  mutable const List* first_slot_ = nullptr;
  mutable bool is_first_known_ = false;
  std::int64_t tick_ = 0;  // every tick before this one has been collected
  List* rest_ = nullptr;   // a slot that has been reached and is not empty yet
};

}  // namespace pollux
