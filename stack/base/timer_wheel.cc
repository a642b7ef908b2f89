// timer_wheel.cc - placing timers by the highest digit in which their tick differs from now's.
#include "stack/base/timer_wheel.h"

#include <bit>

namespace pollux {
namespace {

constexpr std::int64_t kReach = std::int64_t{1} << 36;  // ticks within one turn of the last level

constexpr std::int64_t slot_mask(unsigned level) {
  return (std::int64_t{1} << (6 * (level + 1))) - 1;
}

}  // namespace

TimerWheel::TimerWheel(Instant now) : tick_(now.to_ns() >> kTickShift) {}

void TimerWheel::arm(Timer& timer, Instant deadline) {
  if (timer.is_armed() && timer.deadline_ == first_) is_first_known_ = false;
  timer.disarm();
  timer.deadline_ = deadline;
  const List& slot = place(timer);
  if (!is_first_known_ || deadline >= first_) return;
  first_ = deadline;
  first_slot_ = &slot;
}

TimerWheel::List& TimerWheel::place(Timer& timer) {
  std::int64_t tick = timer.deadline_.to_ns() >> kTickShift;
  if (tick < tick_) tick = tick_;
  const std::int64_t last = tick_ | (kReach - 1);
  if (tick > last) tick = last;  // beyond the reach: placed again when the last level turns
  const auto differing = static_cast<std::uint64_t>((tick ^ tick_) | (kSlots - 1));
  const unsigned level = (63u - static_cast<unsigned>(std::countl_zero(differing))) / kSlotBits;
  const auto slot = static_cast<unsigned>(tick >> (kSlotBits * level)) & (kSlots - 1);
  slots_[level][slot].push_back(timer);
  occupied_[level] |= std::uint64_t{1} << slot;
  return slots_[level][slot];
}

// The first slot at or after now that may hold a timer: its level, and the tick it begins at.
bool TimerWheel::find_next(unsigned& level, std::int64_t& tick) const {
  for (level = 0; level < kLevels; ++level) {
    const unsigned shift = kSlotBits * level;
    const auto current = static_cast<unsigned>(tick_ >> shift) & (kSlots - 1);
    while (const std::uint64_t ahead = occupied_[level] & (~std::uint64_t{0} << current)) {
      const auto slot = static_cast<unsigned>(std::countr_zero(ahead));
      if (slots_[level][slot].empty()) {
        occupied_[level] &= ~(std::uint64_t{1} << slot);
        continue;
      }
      tick = (tick_ & ~slot_mask(level)) | (std::int64_t{slot} << shift);
      return true;
    }
  }
  return false;
}

void TimerWheel::collect_due(Instant now) {
  is_first_known_ = false;
  unsigned level = 0, most = kMostPlaced;
  if (rest_ && !spread(*rest_, most)) return;
  const std::int64_t now_tick = now.to_ns() >> kTickShift;
  std::int64_t tick = 0;
  while (find_next(level, tick) && tick <= now_tick) {
    if (tick > tick_) tick_ = tick;
    const auto slot = static_cast<unsigned>(tick >> (kSlotBits * level)) & (kSlots - 1);
    List& list = slots_[level][slot];
    const std::int64_t end = tick + (std::int64_t{1} << (kSlotBits * level));
    if (end <= now_tick) {
      due_.splice(due_.end(), list);
    } else if (level == 0) {
      take_due_of_this_tick(list, now, most);
      break;
    } else if (!spread(list, most)) {
      return;  // tick_ stays where the rest begin
    }
  }
  if (now_tick > tick_) tick_ = now_tick;
}

// Places the timers of a slot that has been reached on the levels below; counts down `most`. False:
// that was not enough, and the rest are left.
bool TimerWheel::spread(List& list, unsigned& most) {
  List timers;
  timers.swap(list);
  for (; most != 0 && !timers.empty(); --most) {
    Timer& timer = timers.front();
    timers.pop_front();
    place(timer);
  }
  const bool is_done = timers.empty();
  list.splice(list.end(), timers);
  rest_ = is_done ? nullptr : &list;
  return is_done;
}

// Those of a crowded tick that are not reached become due when it is over.
void TimerWheel::take_due_of_this_tick(List& list, Instant now, unsigned most) {
  for (auto it = list.begin(); most != 0 && it != list.end(); --most) {
    Timer& timer = *it++;
    if (timer.deadline_ > now) continue;
    timer.disarm();
    due_.push_back(timer);
  }
}

Instant TimerWheel::find_first() const {
  if (!due_.empty()) return due_.front().deadline_;
  if (rest_) return Instant::from_ns(tick_ << kTickShift);
  unsigned level = 0;
  std::int64_t tick = 0;
  is_first_known_ = true;
  first_ = Instant::never();
  first_slot_ = nullptr;
  if (!find_next(level, tick)) return first_;
  const auto slot = static_cast<unsigned>(tick >> (kSlotBits * level)) & (kSlots - 1);
  first_slot_ = &slots_[level][slot];
  unsigned looked_at = 0;
  for (const Timer& timer : *first_slot_) {
    if (++looked_at > kExactUpTo) return first_ = Instant::from_ns(tick << kTickShift);
    first_ = earlier(first_, timer.deadline_);
  }
  return first_;
}

bool TimerWheel::empty() const {
  unsigned level = 0;
  std::int64_t tick = 0;
  return due_.empty() && !find_next(level, tick);
}

}  // namespace pollux
