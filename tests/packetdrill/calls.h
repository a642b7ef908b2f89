// calls.h - Calls: a script's calls, made through the table, their answers compared.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stack/base/ip_address.h"
#include "tests/packetdrill/interface.h"
#include "tests/packetdrill/script.h"

namespace pollux::packetdrill {

inline constexpr std::uint16_t kServerPort = 8080;
inline const IpAddress kLocal = IpAddress::v4(198, 18, 0, 2), kPeer = IpAddress::v4(198, 18, 0, 1);

// A script's descriptors are numbers of its own. What it writes is the stream of packets.h, and
// what it reads must be. Used by one thread at a time.
class Calls {
 public:
  // `extras`: null where there is only the table.
  Calls(packetdrill_interface& table, const Extras* extras) : table_(table), extras_(extras) {}
  // Throws Failure (without a line) when the answer is another than the script's.
  void make(const CallEvent& call);
  void check_info(const InfoEvent& event);
  // Whether make() could: the table has no slot for some.
  bool has(const CallEvent& call) const;
  // Urgent text has been sent to the stack: reads may leave an octet out.
  void expect_urgent_text() { is_urgent_ = true; }
  static Endpoint address_of(const Value& value, const Endpoint& otherwise);

 private:
  struct Name;
  using Call = CallEvent;
  static const Name* find(const std::string& name);

  // Each answers what the call returned.
  long socket(const Call& call);
  long bind(const Call& call);
  long listen(const Call& call);
  long accept(const Call& call);
  long accept4(const Call& call);
  long connect(const Call& call);
  long close(const Call& call);
  long dup(const Call& call);
  long shutdown(const Call& call);
  long fcntl(const Call& call);
  long ioctl(const Call& call);
  long getsockname(const Call& call);
  long getpeername(const Call& call);
  long getsockopt(const Call& call);
  long setsockopt(const Call& call);
  long read(const Call& call);
  long recv(const Call& call);
  long recvfrom(const Call& call);
  long readv(const Call& call);
  long recvmsg(const Call& call);
  long write(const Call& call);
  long send(const Call& call);
  long sendto(const Call& call);
  long writev(const Call& call);
  long sendmsg(const Call& call);
  long poll(const Call& call);
  long epoll_create(const Call& call);
  long epoll_ctl(const Call& call);
  long epoll_wait(const Call& call);

  void check_result(const Call& call, long result, int error);
  void note_descriptor(const Call& call, long result);
  void check_events(const Call& call, const std::vector<epoll_event>& events, long result);
  int live(const Value& fd) const;
  std::vector<std::byte> text_for(const Value& fd, std::size_t size);
  long note_written(const Value& fd, long result);
  long check_read(const Value& fd, const std::vector<std::byte>& text, long result, int flags);
  long name_call(const Call& call,
                 int (*get)(void* userdata, int fd, sockaddr* address, socklen_t* length));

  struct Stream {
    std::uint32_t read = 0, written = 0;
  };
  packetdrill_interface& table_;
  const Extras* const extras_;
  std::map<std::int64_t, int> live_;        // by the script's numbers
  std::map<std::int64_t, Stream> streams_;  // likewise
  bool is_urgent_ = false;
};

}  // namespace pollux::packetdrill
