// rx_interrupt.h - RxInterrupt: the descriptor on which one receive queue can be slept on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pollux {

// Each driver has its own way, and configuring interrupts succeeds for all of them, so the driver's
// name decides and the descriptor is looked at.
//
//   level    the packets' own descriptor (TAP, packet socket): readable while one waits; never read
//   it eventfd  the device writes it while the interrupt is enabled; reading it clears it edge a
//   descriptor that stays readable for ever once it was: watched by an epoll of our own
class RxInterrupt {
 public:
  RxInterrupt() = default;  // none
  // `opened`: the descriptors that appeared while the device was made.
  static RxInterrupt find(std::uint16_t port, const std::string& driver,
                          const std::vector<int>& opened);
  RxInterrupt(RxInterrupt&& other) noexcept;
  RxInterrupt& operator=(RxInterrupt&&) = delete;
  ~RxInterrupt();

  int fd() const { return kind_ == Kind::edge ? epoll_ : fd_; }
  void arm();
  void disarm();

 private:
  enum class Kind { none, level, eventfd, edge };
  RxInterrupt(Kind kind, std::uint16_t port, int fd);
  void watch_edge();

  Kind kind_ = Kind::none;
  std::uint16_t port_ = 0;
  std::size_t count_size_ = 0;  // octets to read when it was readable
  int fd_ = -1;                 // the driver's
  int epoll_ = -1;              // ours
};

}  // namespace pollux
