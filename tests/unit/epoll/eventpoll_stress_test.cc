// eventpoll_stress_test.cc - random programs on real threads, judged by a naive model (4 to 9).
// In each round some threads wait, some change files, some register and close; when nothing moves
// any more, the model of eventpoll_model.h says whether what was seen may be. A round's programs
// come from its seed; how the threads meet does not: a seed that failed once may have to be run
// many times (POLLUX_SEED=n and --gtest_repeat). Every loop is bounded by a count.
#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <memory>
#include <thread>

#include "stack/base/rng.h"
#include "tests/unit/epoll/eventpoll_model.h"
#include "tests/unit/epoll/watched_context.h"

namespace pollux {
namespace {

using namespace testing_support;

constexpr std::size_t kSets = 3, kOuter = kSets - 1;  // the last one watches the others
constexpr int kBriefSet = 100;  // from here on: sets that an owner makes and closes itself
constexpr std::size_t kOwners = 2, kNetworks = 2, kWaiters = 4;
constexpr std::size_t kSlots = 2;    // files that an owner has open at a time
constexpr std::size_t kLives = 5;    // so often it opens another one in a slot, less one
constexpr std::size_t kNumbers = 2;  // descriptors of one file
constexpr int kOwnerSteps = 40, kNetworkSteps = 80, kWaits = 40;

// Data: the thread that registered, a number of its own, and what is watched.
constexpr std::uint64_t kStopFile = 0xf000, kInnerSet = 0xf100;
std::uint64_t target_of(std::uint64_t data) { return data & 0xffff; }

// A thread's own: what it draws from, what it has done.
struct Worker {
  Worker(std::uint64_t seed, std::uint64_t which) : number(which), rng(seed * 64 + which) {}
  std::uint64_t new_data(std::uint64_t target) {
    return (number + 1) << 48 | ++registered << 16 | target;
  }
  std::uint64_t number, registered = 0;
  Rng rng;
  Log log;
};

std::uint32_t draw_interest(Rng& rng, bool is_new) {
  constexpr std::array<std::uint32_t, 6> kWhat = {EPOLLIN,
                                                  EPOLLIN,
                                                  EPOLLOUT,
                                                  std::uint32_t{EPOLLIN} | EPOLLOUT,
                                                  std::uint32_t{EPOLLIN} | EPOLLRDHUP,
                                                  0};
  constexpr std::array<std::uint32_t, 8> kHow = {
      0, 0, 0, EPOLLET, EPOLLET, EPOLLET, EPOLLONESHOT, std::uint32_t{EPOLLET} | EPOLLONESHOT};
  if (is_new && rng.chance(0.1)) return EPOLLIN | EPOLLEXCLUSIVE | (rng.chance(0.5) ? EPOLLET : 0u);
  return kWhat[rng.below(kWhat.size())] | kHow[rng.below(kHow.size())];
}

class Round {
 public:
  explicit Round(std::uint64_t seed);
  std::string run();

 private:
  struct Slot {
    std::atomic<std::size_t> life{0};
    std::array<std::array<std::uint64_t, kNumbers>, kSets> data{};  // 0: not registered
  };

  std::size_t index_in_use(std::size_t slot) const {
    return slot * kLives + slots_[slot].life.load(std::memory_order_relaxed);
  }
  std::uint64_t ctl(Worker& me, int op, EventPoll& set, Watched target, Registration registration);
  static void end(Worker& me, std::uint64_t& data, const Span& when);

  void own(Worker& me, std::size_t first_slot);
  void change_registration(Worker& me, std::size_t slot);
  void open_another(Worker& me, std::size_t slot);
  void use_brief_set(Worker& me, std::size_t slot);
  void be_network(Worker& me);
  void wait_and_serve(Worker& me, std::size_t waiter);
  bool serve(Worker& me, WatchedContext& context, std::span<const epoll_event> events);

  void set_up();
  void look_at_all();
  void close(ModelFile& file);
  std::string judge();

  Rng rng_;
  std::vector<Worker> workers_;
  Worker& main_;
  std::array<EventPoll*, kSets> sets_;
  Entry stack_{ThreadMode::shared};
  std::vector<std::unique_ptr<ModelFile>> files_;
  ModelFile stop_{{}, kStopFile};
  std::array<Slot, kOwners * kSlots> slots_;
  Contexts contexts_;
  std::array<std::size_t, kWaiters> waits_on_;
  std::latch over_{1};
  std::map<int, Wait> last_;
  std::string sleeping_on_something_;
};

Round::Round(std::uint64_t seed)
    : rng_(seed),
      workers_([seed] {
        std::vector<Worker> workers;
        for (std::size_t i = 0; i < 1 + kOwners + kNetworks + kWaiters; ++i) {
          workers.emplace_back(seed, i);
        }
        return workers;
      }()),
      main_(workers_[0]) {
  for (EventPoll*& set : sets_) set = *EventPoll::create();
  for (std::size_t i = 0; i < slots_.size() * kLives; ++i) {
    const PollEvents ready = rng_.chance(0.3) ? kIn : PollEvents();
    const int number = static_cast<int>(i);
    files_.push_back(rng_.chance(0.5) ? std::make_unique<ModelFile>(stack_, ready, number)
                                      : std::make_unique<ModelFile>(ready, number));
  }
  for (std::size_t& set : waits_on_) set = rng_.below(kSets);
  for (std::size_t i = 0; i < kWaiters; ++i) {
    contexts_.push_back(std::make_unique<WatchedContext>());
  }
}

// Registers and returns the new data; for DEL, 0.
std::uint64_t Round::ctl(Worker& me, int op, EventPoll& set, Watched target,
                         Registration registration) {
  const std::uint64_t what = registration.file
                                 ? static_cast<std::uint64_t>(registration.file->number())
                                 : kInnerSet + static_cast<std::uint64_t>(registration.inner);
  epoll_event event{};
  event.events = registration.events;
  const std::uint64_t data = op == EPOLL_CTL_DEL ? 0 : me.new_data(what);
  event.data.u64 = data;
  registration.is_modified = op == EPOLL_CTL_MOD;
  registration.since.begin = tick();
  const Result<void> done = set.ctl(op, target, &event);
  registration.since.end = tick();
  EXPECT_TRUE(done.ok()) << "epoll_ctl " << op << ": " << static_cast<int>(done.error());
  if (op != EPOLL_CTL_DEL) me.log.registrations.emplace(data, registration);
  return data;
}

void Round::end(Worker& me, std::uint64_t& data, const Span& when) {
  if (data != 0) me.log.registrations.at(data).until = when;
  data = 0;
}

void Round::set_up() {
  for (std::size_t i = 0; i < kSets; ++i) {
    const int number = static_cast<int>(i);
    ctl(main_, EPOLL_CTL_ADD, *sets_[i], {&stop_, 0},
        {.set = number, .file = &stop_, .events = EPOLLIN});
    if (i == kOuter || rng_.chance(0.2)) continue;
    const std::uint32_t how = rng_.chance(0.5) ? EPOLLET : 0u;
    ctl(main_, EPOLL_CTL_ADD, *sets_[kOuter], {sets_[i], number},
        {.set = kOuter, .file = nullptr, .inner = number, .events = EPOLLIN | how});
  }
}

// --- owners: all epoll_ctl and close of their files

void Round::own(Worker& me, std::size_t first_slot) {
  for (int step = 0; step < kOwnerSteps; ++step) {
    const std::size_t slot = first_slot + me.rng.below(kSlots);
    if (me.rng.chance(0.05)) {
      open_another(me, slot);
    } else if (me.rng.chance(0.05)) {
      use_brief_set(me, slot);
    } else {
      change_registration(me, slot);
    }
  }
}

void Round::change_registration(Worker& me, std::size_t slot) {
  const std::size_t set = me.rng.below(kSets), number = me.rng.below(kNumbers);
  ModelFile& file = *files_[index_in_use(slot)];
  std::uint64_t& data = slots_[slot].data[set][number];
  const bool is_new = data == 0;
  const bool is_exclusive = !is_new && me.log.registrations.at(data).is(EPOLLEXCLUSIVE);
  const int op = is_new                               ? EPOLL_CTL_ADD
                 : is_exclusive || me.rng.chance(0.3) ? EPOLL_CTL_DEL
                                                      : EPOLL_CTL_MOD;
  const Watched target{&file, static_cast<int>(number)};
  const Span begin{tick(), 0};
  const std::uint64_t next =
      ctl(me, op, *sets_[set], target,
          {.set = static_cast<int>(set), .file = &file, .events = draw_interest(me.rng, is_new)});
  end(me, data, {begin.begin, tick()});
  data = next;
}

void Round::open_another(Worker& me, std::size_t slot) {
  std::atomic<std::size_t>& life = slots_[slot].life;
  const std::size_t now = life.load(std::memory_order_relaxed);
  if (now + 1 == kLives) return;
  Span closing{tick(), 0};
  files_[index_in_use(slot)]->put();
  closing.end = tick();
  for (auto& numbers : slots_[slot].data) {
    for (std::uint64_t& data : numbers) end(me, data, closing);
  }
  life.store(now + 1, std::memory_order_relaxed);
}

// Made, used and closed again by one thread, while its files go on.
void Round::use_brief_set(Worker& me, std::size_t slot) {
  EventPoll& set = **EventPoll::create();
  const int number = kBriefSet + static_cast<int>(me.number * 1000 + me.registered);
  std::vector<std::uint64_t> all;
  for (const std::size_t one : {slot, slot ^ 1}) {
    ModelFile& file = *files_[index_in_use(one)];
    all.push_back(ctl(me, EPOLL_CTL_ADD, set, {&file, 0},
                      {.set = number, .file = &file, .events = draw_interest(me.rng, true)}));
  }
  RealPollContext context;
  std::array<epoll_event, 3> out;
  for (std::uint64_t looks = me.rng.below(4); looks > 0; --looks) {
    EXPECT_GE(wait_and_note({set, number, Instant(), context}, out, me.log), 0);
  }
  Span closing{tick(), 0};
  set.put();
  closing.end = tick();
  for (std::uint64_t& data : all) end(me, data, closing);
}

// --- the network: what files are ready for, from another thread

void Round::be_network(Worker& me) {
  for (int step = 0; step < kNetworkSteps; ++step) {
    ModelFile& file = *files_[index_in_use(me.rng.below(slots_.size()))];
    const std::uint64_t what = me.rng.below(100);
    if (what < 30) {
      file.arrives(kIn, kReadableKey);
    } else if (what < 45) {  // gone before anybody can ask, as a rule
      file.arrives(kIn, kReadableKey);
      file.is_drained(kIn);
    } else if (what < 65) {
      file.arrives(kOut, kWritableKey);
    } else if (what < 72) {
      file.arrives_for_all(kIn | kRdHup);
    } else if (what < 75) {
      file.arrives_for_all(kIn | kRdHup | kHup);
    } else if (what < 78) {
      file.arrives(kErr, kErr);
    } else {
      file.is_drained(what < 90 ? kOut : kIn);
    }
    if (me.rng.chance(0.1)) std::this_thread::yield();
  }
}

// --- waiters: wait, serve most of what comes, wait again

void Round::wait_and_serve(Worker& me, std::size_t waiter) {
  WatchedContext& context = *contexts_[waiter];
  const std::size_t number = waits_on_[waiter];
  EventPoll& set = *sets_[number];
  for (int i = 0; i < kWaits; ++i) {
    std::array<epoll_event, 4> room;
    const std::span<epoll_event> out = std::span(room).first(1 + me.rng.below(room.size()));
    const bool looks_once = me.rng.chance(0.25);
    const Instant deadline = looks_once ? Instant() : context.now() + kLong;
    const int n = wait_and_note({set, static_cast<int>(number), deadline, context}, out, me.log);
    EXPECT_GE(n, looks_once ? 0 : 1) << "lost wake-up";
    if (n < 0 || !serve(me, context, out.first(static_cast<std::size_t>(n)))) break;
  }
  context.rest();
  over_.wait();
  for (EventPoll* one : sets_) one->put();
}

// False: the round is over.
bool Round::serve(Worker& me, WatchedContext& context, std::span<const epoll_event> events) {
  for (const epoll_event& event : events) {
    const std::uint64_t target = target_of(event.data.u64);
    if (target == kStopFile) return false;
    if (target >= kInnerSet) {
      const std::size_t inner = target - kInnerSet;
      std::array<epoll_event, 2> out;
      const int n =
          wait_and_note({*sets_[inner], static_cast<int>(inner), Instant(), context}, out, me.log);
      EXPECT_GE(n, 0);
      if (n > 0 && !serve(me, context, std::span(out).first(static_cast<std::size_t>(n)))) {
        return false;
      }
    } else if (me.rng.chance(0.7)) {
      files_[target]->is_drained(PollEvents(event.events));
    }
  }
  return true;
}

// --- the end

// One look at every set, the outer first; whoever sleeps then must have nothing to sleep on.
void Round::look_at_all() {
  RealPollContext context;
  for (std::size_t set = kSets; set-- > 0;) {
    std::array<epoll_event, 64> out;
    const int number = static_cast<int>(set);
    EXPECT_GE(wait_and_note({*sets_[set], number, Instant(), context}, out, main_.log), 0);
    last_[number] = main_.log.waits.back();
  }
  for (std::size_t i = 0; i < kWaiters; ++i) {
    const int number = static_cast<int>(waits_on_[i]);
    if (contexts_[i]->is_resting() || last_.at(number).reports.empty()) continue;
    sleeping_on_something_ =
        "a thread sleeps on set " + std::to_string(number) + ", where something is ready";
  }
}

void Round::close(ModelFile& file) {
  if (file.closed()) return;
  Span closing{tick(), 0};
  file.put();
  closing.end = tick();
  for (Worker& worker : workers_) {
    for (auto& [data, registration] : worker.log.registrations) {
      const bool is_open = registration.file == &file && registration.until.end == kNever;
      if (is_open) registration.until = closing;
    }
  }
}

std::string Round::judge() {
  std::vector<Log> logs;
  for (Worker& worker : workers_) logs.push_back(std::move(worker.log));
  return Oracle(logs).complaint(last_);
}

std::string Round::run() {
  set_up();
  std::vector<std::thread> movers, waiters;
  auto worker = workers_.begin() + 1;
  for (std::size_t i = 0; i < kWaiters; ++i, ++worker) {
    for (EventPoll* set : sets_) set->get();
    waiters.emplace_back([this, me = &*worker, i] { wait_and_serve(*me, i); });
  }
  for (std::size_t i = 0; i < kOwners; ++i, ++worker) {
    movers.emplace_back([this, me = &*worker, i] { own(*me, i * kSlots); });
  }
  for (std::size_t i = 0; i < kNetworks; ++i, ++worker) {
    movers.emplace_back([this, me = &*worker] { be_network(*me); });
  }
  for (std::thread& mover : movers) mover.join();
  settle(contexts_);
  look_at_all();
  for (EventPoll* set : sets_) set->put();  // 9.10: who waits still hears of the end
  const bool all_heard = all_rest_after(contexts_, [&] { stop_.arrives(kIn, kReadableKey); });
  over_.count_down();
  for (auto& file : files_) close(*file);  // while the last waiters leave the sets, and end them
  for (std::thread& waiter : waiters) waiter.join();
  close(stop_);
  if (!all_heard) return "not every waiter of a set woke for the end";
  return sleeping_on_something_.empty() ? judge() : sleeping_on_something_;
}

// 4.1, 5, 6.6, 7.1 to 7.9, 8.3 to 8.10, 9.1, 9.10 to 9.12, 9.15.
TEST(EventPollStress, epoll_4_to_9_random_programs_on_threads) {
  EventPoll::configure({});
  const Seeds seeds(250);
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    const std::string note = "POLLUX_SEED=" + std::to_string(seed);
    set_check_note(note.c_str());
    EXPECT_EQ(Round(seed).run(), "");
    EXPECT_EQ(EventPoll::watches_used(), 0u);
    EXPECT_EQ(EventPoll::sets_used(), 0u);
    set_check_note(nullptr);
    ASSERT_FALSE(testing::Test::HasFailure()) << note;
  }
}

}  // namespace
}  // namespace pollux
