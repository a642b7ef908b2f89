// cases_poll.cc - behaviours 14.x: poll and ppoll.
#include <array>
#include <chrono>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

std::string poll_one(const Twin& t, int fd, int events, int timeout_ms = 0) {
  pollfd entry{.fd = fd, .events = static_cast<short>(events), .revents = 0x7fff};
  const int n = t.calls.poll(&entry, 1, timeout_ms);
  return to_text(n) + " " + events_to_text(static_cast<uint16_t>(entry.revents));
}

void b14_1_masks(Twin& t) {
  const Pair pair = t.pair();
  t.send(pair.active, "x");
  t.expect("IN", poll_one(t, pair.passive, POLLIN), "1 IN");
  t.expect("all", poll_one(t, pair.passive, POLLIN | POLLOUT | POLLRDNORM), "1 IN|OUT|RDNORM");
  t.expect("NVAL in events", poll_one(t, pair.active, POLLNVAL), "0 0");
}

void b14_2_negative_descriptors(Twin& t) {
  t.expect("-1", poll_one(t, -1, POLLIN), "0 0");
  t.expect("-7", poll_one(t, -7, POLLIN), "0 0");
}

void b14_3_return_value(Twin& t) {
  const Pair pair = t.pair();
  std::array<pollfd, 4> entries = {{{pair.active, POLLOUT, 0},
                                    {pair.active, POLLOUT, 0},
                                    {pair.active, POLLIN, 0},
                                    {pair.passive, POLLOUT, 0}}};
  t.expect("duplicates count", t.calls.poll(entries.data(), entries.size(), 0), 3);
}

void b14_4_unopened(Twin& t) {
  t.expect("returns at once", poll_one(t, kUnopened, POLLIN, -1), "1 NVAL");
}

void b14_5_events_0(Twin& t) {
  t.expect("fresh socket", poll_one(t, t.tcp(), 0), "1 HUP");
  t.expect("refused", poll_one(t, t.refused(), 0), "1 ERR|HUP");
  t.expect("unopened", poll_one(t, kUnopened, 0), "1 NVAL");
}

void b14_6_regular_files(Twin& t) {
  t.expect("/dev/null", t.mask(t.null_device().number), "IN|OUT|RDNORM|WRNORM");
}

void b14_7_no_descriptors(Twin& t) { t.expect("nfds 0", t.calls.poll(nullptr, 0, 1), 0); }

void b14_8_bad_arrays_and_what_is_written(Twin& t) {
  t.expect("NULL", to_text(t.calls.poll(nullptr, 1, 0)), "-1 EFAULT");
  const int fd = t.pair().active;
  std::array<pollfd, 3> entries = {{{fd, 0x7fff, 0}, {kUnopened, POLLIN, 0}, {-5, POLLOUT, 0}}};
  t.expect("poll", t.calls.poll(entries.data(), entries.size(), 0), 2);
  t.expect("fd", entries[0].fd == fd && entries[1].fd == kUnopened && entries[2].fd == -5, 1);
  t.expect("events", entries[0].events == 0x7fff && entries[1].events == POLLIN, 1);
  t.expect("events of fd < 0", entries[2].events, POLLOUT);
}

void b14_9_timeout(Twin& t) {
  pollfd entry{.fd = t.udp(), .events = POLLIN, .revents = 0};
  const auto before = std::chrono::steady_clock::now();
  t.expect("20 ms", t.calls.poll(&entry, 1, 20), 0);
  const auto took = std::chrono::steady_clock::now() - before;
  t.expect("not early", took >= std::chrono::milliseconds(20), 1);
}

void b14_10_ppoll_timespec(Twin& t) {
  pollfd entry{.fd = t.pair().active, .events = POLLIN, .revents = 0};
  for (const timespec timeout : {timespec{0, 1'000'000'000}, timespec{0, -1}, timespec{-1, 0}}) {
    t.expect("bad timespec", to_text(t.calls.ppoll(&entry, 1, &timeout, nullptr)), "-1 EINVAL");
  }
  const timespec brief{.tv_sec = 0, .tv_nsec = 1000};
  t.expect("1 us", t.calls.ppoll(&entry, 1, &brief, nullptr), 0);
  t.expect("not written back", brief.tv_nsec, 1000);
}

void b14_12_all_are_evaluated(Twin& t) {
  std::array<pollfd, 3> entries{};
  for (pollfd& entry : entries) entry = {t.pair().active, POLLOUT | POLLIN, 0};
  t.expect("all ready", t.calls.poll(entries.data(), entries.size(), -1), 3);
  for (const pollfd& entry : entries) t.expect("mask", entry.revents, POLLOUT);
}

constexpr Case kPollCases[] = {
    {"14.1", "masks equal epoll's", b14_1_masks},
    {"14.2", "negative descriptors are skipped", b14_2_negative_descriptors},
    {"14.3", "the return value counts entries", b14_3_return_value},
    {"14.4", "an unopened descriptor ends the wait", b14_4_unopened},
    {"14.5", "events 0 still reports ERR, HUP, NVAL", b14_5_events_0},
    {"14.6", "files are always ready", b14_6_regular_files},
    {"14.7", "no descriptors: a sleep", b14_7_no_descriptors},
    {"14.8", "NULL is EFAULT; fd and events stay", b14_8_bad_arrays_and_what_is_written},
    {"14.9", "never early", b14_9_timeout},
    {"14.10", "ppoll's timespec", b14_10_ppoll_timespec},
    {"14.12", "every ready descriptor is reported", b14_12_all_are_evaluated},
};

}  // namespace

std::span<const Case> poll_cases() { return kPollCases; }

}  // namespace pollux::twin
