// execute.h - Runner: runs programs on one side and says in words what each call did.
#pragma once

#include <netinet/in.h>

#include <array>
#include <string>
#include <vector>

#include "tests/twin/calls.h"
#include "tests/twin/random/program.h"
#include "tests/twin/random/rules.h"

namespace pollux::twin {

inline bool is_kernel(const Calls& calls) { return &calls == &kernel_calls(); }

// Lives as long as the side's process. Between programs nothing is open but what it needs itself.
class Runner {
 public:
  explicit Runner(const Calls& calls);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // One answer for each call: "0", "-1 EAGAIN", "5 'abcde'", "2: 7=IN|OUT 9=HUP".
  std::vector<std::string> run(const Program& program);
  // The last run meant nothing: a port chosen for it was by chance one that it knew already.
  bool met_by_chance() const { return met_by_chance_; }

 private:
  std::string execute(const Op& op);
  std::string execute_beside_sockets(const Op& op);
  std::string open_socket(const Op& op);
  std::string bind_or_connect(const Op& op);
  std::string accept(const Op& op);
  std::string send(const Op& op);
  std::string receive(const Op& op);
  std::string close(int number);
  std::string dup(const Op& op);
  std::string dup2(const Op& op);
  std::string set_option(const Op& op);
  std::string get_option(const Op& op);
  std::string name(const Op& op);
  std::string ioctl(const Op& op);
  std::string ctl(const Op& op);
  std::string wait(const Op& op);
  std::string poll(const Op& op);
  std::string select(const Op& op);
  std::string event_write(const Op& op);
  std::string timer_fd(const Op& op);
  std::string pipe(const Op& op);
  std::string fill(int number);
  std::string drain(int number);

  void set_tcp_option(int fd, int name);
  void settle();
  void close_all();
  static constexpr int kRestMs = 1000;  // what is on its way has long arrived
  // Brings a descriptor of the kernel's to this side; it is closed with its last number.
  std::string adopt(int kernel, int slot);
  std::string store(int slot, int number);  // what a call returned for a new descriptor
  void note_port(int slot, int named = 0);  // `named`: a port that the program asked for
  sockaddr_in address(int32_t kind, int slot) const;
  std::string to_text(const sockaddr_in& address, socklen_t length);
  int kernel_number(int number) const;  // for read and write; -1: not the kernel's
  void let_go(int number);              // it no longer stands for its file of the kernel's
  int number(int slot) const { return numbers_[static_cast<size_t>(slot)]; }

  const Calls& calls_;
  const bool wraps_;  // this side has numbers of its own for the kernel's files
  int pump_, marker_, base_;
  int end_;  // behind the highest number that the program got
  sockaddr_in marker_address_{};
  bool free_order_ = false, met_by_chance_ = false;
  std::array<int, kSlots> numbers_{};
  std::array<uint16_t, kSlots> ports_{};
  std::array<bool, kSlots> has_port_{};  // the slot's number has, not only one before it
  std::vector<uint16_t> seen_ports_;
  std::array<int, kMostNumbers> kernel_of_{};  // by distance from base_; -1: not the kernel's
};

}  // namespace pollux::twin
