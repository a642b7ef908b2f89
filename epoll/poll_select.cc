// poll_select.cc - poll(2), select(2), and waiting for one file: scan, arm, scan again, sleep.
#include "epoll/poll_select.h"

#include <algorithm>
#include <vector>

#include "epoll/asking.h"
#include "epoll/eventpoll.h"
#include "epoll/kernel_files.h"
#include "epoll/waiting.h"

namespace pollux {
namespace {

constexpr PollEvents kAlways = kErr | kHup | kNval;  // reported by poll without being asked for

// What each set of select(2) means. Linux: POLLIN_SET, POLLOUT_SET, POLLEX_SET.
constexpr PollEvents kReadSet = kRdNorm | kRdBand | kIn | kHup | kErr | kNval;
constexpr PollEvents kWriteSet = kWrBand | kWrNorm | kOut | kErr | kNval;
constexpr PollEvents kExceptSet = kPri | kNval;

PollEvents bits(short poll_bits) { return PollEvents(static_cast<std::uint16_t>(poll_bits)); }
short poll_bits(PollEvents events) { return static_cast<short>(events.bits()); }

bool may_ask(File& file) {
  return file.wait_queue().lock().may_enter() &&
         (!file.stack_entry() || file.stack_entry()->may_enter());
}

// A thread's interest in one file. Holds a reference while it is in the file's queue.
class ThreadEntry final : public WaitEntry {
 public:
  bool wake(PollEvents key) override {
    if (key && !(wanted_ | kLookAgain).has(key)) return false;
    sleeper_->wake();
    return true;
  }
  void add_to(File& file, PollEvents wanted, Sleeper& sleeper) {
    file_ = &file;
    wanted_ = wanted;
    sleeper_ = &sleeper;
    Entered entered(file.wait_queue().lock());
    file.wait_queue().add(*this);
  }
  void remove() {
    Entered entered(file_->wait_queue().lock());
    file_->wait_queue().remove(*this);
  }

 private:
  File* file_ = nullptr;
  Sleeper* sleeper_ = nullptr;
  PollEvents wanted_;
};

struct HeldEntry {
  FileRef file;
  ThreadEntry entry;
};

// The descriptors of one poll or select. A number is looked up anew at each scan, so one that is
// closed meanwhile ends as NVAL (9.13); while armed, the file of the time is held.
class PollWait final : public Waitable {
 public:
  PollWait(FdTable& table, std::span<pollfd> fds, PollEvents always, const BusyPollParams& params)
      : table_(table), fds_(fds), always_(always), params_(params) {
    for (const pollfd& fd : fds_) {
      if (const FileRef file = table_.get(fd.fd)) napis_ |= file->napis();
    }
  }

  NapiSet napis() const override { return napis_; }
  void ask_kernel() override {}  // look() does
  Result<int> look() override {
    kernel_.clear();
    kernel_index_.clear();
    for (std::size_t i = 0; i < fds_.size(); ++i) scan(i);
    ask_kernel_files(kernel_);
    for (std::size_t k = 0; k < kernel_.size(); ++k) {
      report(fds_[kernel_index_[k]], bits(kernel_[k].revents));
    }
    int found = 0;
    for (const pollfd& fd : fds_) found += fd.revents != 0;
    return found;
  }
  bool arm(Sleeper& sleeper) override {
    held_ = std::vector<HeldEntry>(fds_.size());
    sleep_on_.clear();
    for (const pollfd& fd : fds_) arm_one(fd, sleeper);
    return *look() == 0;
  }
  void disarm() override {
    for (; armed_ > 0; --armed_) {
      held_[armed_ - 1].entry.remove();
      held_[armed_ - 1].file = FileRef();
    }
  }
  std::span<pollfd> kernel() override { return sleep_on_; }
  BusyPollParams busy_poll() override;

 private:
  PollEvents wanted(const pollfd& fd) const { return (bits(fd.events) & ~kNval) | always_; }
  void report(pollfd& fd, PollEvents ready) const {
    fd.revents = poll_bits(ready & (bits(fd.events) | always_));
  }
  int kernel_number(const pollfd& fd, const FileRef& file) const;
  void scan(std::size_t index);
  void arm_one(const pollfd& fd, Sleeper& sleeper);

  FdTable& table_;
  const std::span<pollfd> fds_;
  const PollEvents always_;
  const BusyPollParams& params_;
  NapiSet napis_ = 0;
  std::vector<pollfd> kernel_;  // of the last scan
  std::vector<std::size_t> kernel_index_;
  std::vector<pollfd> sleep_on_;
  std::vector<HeldEntry> held_;
  std::size_t armed_ = 0;
};

// The kernel's descriptor behind an entry; -1: it is Pollux's, or nobody's.
int PollWait::kernel_number(const pollfd& fd, const FileRef& file) const {
  if (file) return file->kernel_fd();
  return table_.has_foreign_numbers() ? fd.fd : -1;
}

void PollWait::scan(std::size_t index) {
  pollfd& fd = fds_[index];
  fd.revents = 0;
  if (fd.fd < 0) return;
  const FileRef file = table_.get(fd.fd);
  if (const int kernel_fd = kernel_number(fd, file); kernel_fd >= 0) {
    kernel_.push_back({kernel_fd, poll_bits(wanted(fd)), 0});
    kernel_index_.push_back(index);
    return;
  }
  if (!file || !may_ask(*file)) return report(fd, kNval);
  napis_ |= file->napis();
  report(fd, ask(*file));
}

// poll(2) in the kernel always hears ERR and HUP. Where select does not ask for them (a write set
// and a HUP) they would end each sleep at once: such a descriptor has nothing more to say and stays
// out.
void PollWait::arm_one(const pollfd& fd, Sleeper& sleeper) {
  if (fd.fd < 0) return;
  FileRef file = table_.get(fd.fd);
  if (const int kernel_fd = kernel_number(fd, file); kernel_fd >= 0) {
    pollfd now{kernel_fd, poll_bits(wanted(fd)), 0};
    ask_kernel_files(std::span(&now, 1));
    const PollEvents unwanted = bits(now.revents) & ~(bits(fd.events) | always_);
    if (!unwanted) sleep_on_.push_back(now);
    return;
  }
  if (!file || !may_ask(*file)) return;
  HeldEntry& held = held_[armed_++];
  held.entry.add_to(*file, wanted(fd), sleeper);
  if (file->type() == FileType::eventpoll) {
    const int companion = static_cast<EventPoll&>(*file).companion_fd();
    if (companion >= 0) sleep_on_.push_back({companion, POLLIN, 0});
  }
  held.file = std::move(file);
}

// Linux: sk_can_busy_loop(), busy_loop_timeout(): whether is the sockets' to say, how long is not
// (13.9).
BusyPollParams PollWait::busy_poll() {
  if (params_.busy_poll_usecs == 0) return {};
  for (const pollfd& fd : fds_) {
    const FileRef file = table_.get(fd.fd);
    if (!file || file->type() != FileType::socket || !may_ask(*file)) continue;
    const Entered entered(*file->stack_entry());
    const BusyPollParams own = file->busy_poll();
    if (own.busy_poll_usecs == 0) continue;
    return {params_.busy_poll_usecs, own.busy_poll_budget, false};
  }
  return {};
}

// One file, held by the caller.
class FileWait final : public Waitable {
 public:
  FileWait(File& file, PollEvents events, const BusyPollParams& params)
      : file_(file), wanted_(events | kErr | kHup), params_(params) {}

  PollEvents ready() const { return ready_; }
  NapiSet napis() const override { return file_.napis(); }
  void ask_kernel() override {}
  Result<int> look() override {
    ready_ = ask(file_) & wanted_;
    return ready_ ? 1 : 0;
  }
  bool arm(Sleeper& sleeper) override {
    entry_.add_to(file_, wanted_, sleeper);
    return *look() == 0;
  }
  void disarm() override { entry_.remove(); }
  std::span<pollfd> kernel() override {
    kernel_ = {file_.kernel_fd(), poll_bits(wanted_), 0};
    return {&kernel_, kernel_.fd >= 0 ? 1u : 0u};
  }
  BusyPollParams busy_poll() override { return params_; }

 private:
  File& file_;
  const PollEvents wanted_;
  const BusyPollParams& params_;
  PollEvents ready_;
  ThreadEntry entry_;
  pollfd kernel_{};
};

constexpr std::size_t kBitsPerWord = 8 * sizeof(unsigned long);

bool is_in(const unsigned long* set, int number) {
  const auto bit = static_cast<std::size_t>(number);
  return set && (set[bit / kBitsPerWord] >> bit % kBitsPerWord & 1);
}

PollEvents selected(const SelectSets& sets, int number) {
  PollEvents events;
  if (is_in(sets.read, number)) events |= kReadSet;
  if (is_in(sets.write, number)) events |= kWriteSet;
  if (is_in(sets.except, number)) events |= kExceptSet;
  return events;
}

// Linux: max_select_fd(). Bits beyond the table are not looked at (15.4). Whether a foreign number
// is open turns out when the kernel is asked.
Result<std::vector<pollfd>> selected_files(const FdTable& table, int n, const SelectSets& sets) {
  std::vector<pollfd> fds;
  for (int number = 0; number < n; ++number) {
    const PollEvents events = selected(sets, number);
    if (!events) continue;
    if (!table.peek(number) && !table.has_foreign_numbers()) return Errno::bad_descriptor;
    fds.push_back({number, poll_bits(events), 0});
  }
  return fds;
}

bool is_nobodys(const pollfd& fd) { return bits(fd.revents).has(kNval); }

// Overwrites one set with those of its members that have one of `meaning`. How many.
int write_back(unsigned long* set, int n, std::span<const pollfd> fds, PollEvents meaning) {
  if (!set) return 0;
  int found = 0;
  std::vector<unsigned long> result((static_cast<std::size_t>(n) + kBitsPerWord - 1) /
                                    kBitsPerWord);
  for (const pollfd& fd : fds) {
    if (!is_in(set, fd.fd) || !bits(fd.revents).has(meaning)) continue;
    const auto bit = static_cast<std::size_t>(fd.fd);
    result[bit / kBitsPerWord] |= 1ul << bit % kBitsPerWord;
    ++found;
  }
  std::copy(result.begin(), result.end(), set);
  return found;
}

}  // namespace

Result<int> poll_files(FdTable& table, std::span<pollfd> fds, const Blocking& how) {
  if (fds.size() > table.capacity()) return Errno::invalid;
  PollWait wait(table, fds, kAlways, how.params);
  return wait_until(wait, {how.deadline, how.sigmask}, how.context);
}

Result<int> select_files(FdTable& table, int n, SelectSets sets, const Blocking& how) {
  if (n < 0) return Errno::invalid;
  n = std::min(
      n, static_cast<int>(table.has_foreign_numbers() ? table.capacity() : table.table_size()));
  ASSIGN_OR_RETURN(std::vector<pollfd> fds, selected_files(table, n, sets));
  PollWait wait(table, fds, PollEvents(), how.params);
  RETURN_IF_ERROR(wait_until(wait, {how.deadline, how.sigmask}, how.context));
  if (table.has_foreign_numbers() && std::any_of(fds.begin(), fds.end(), is_nobodys)) {
    return Errno::bad_descriptor;
  }
  return write_back(sets.read, n, fds, kReadSet) + write_back(sets.write, n, fds, kWriteSet) +
         write_back(sets.except, n, fds, kExceptSet);
}

Result<PollEvents> wait_for(File& file, PollEvents events, Instant deadline, PollContext& context,
                            const BusyPollParams& params) {
  FileWait wait(file, events, params);
  Result<int> found = wait_until(wait, {deadline, nullptr}, context);
  if (!found.ok()) return found.error();
  if (*found == 0) return Errno::again;
  return wait.ready();
}

}  // namespace pollux
