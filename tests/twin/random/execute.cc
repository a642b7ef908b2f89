// execute.cc - Runner: sockets and descriptors; coming to rest between two calls.
#include "tests/twin/random/execute.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "tests/twin/twin.h"

namespace pollux::twin {
namespace {

constexpr int kMostSends = 1000;  // a stream is full by then; a datagram always goes
constexpr int kRestRounds = 3;    // a SYN, its answer and the answer's ACK

sockaddr_in make_address(uint32_t host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return address;
}

// Letters as they are; anything else, such as an eventfd's count, as numbers.
std::string quote(const char* text, size_t length) {
  std::string quoted = "'";
  for (size_t i = 0; i < length; ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    quoted += octet >= ' ' && octet < 127 ? std::string(1, text[i]) : std::to_string(octet) + ".";
  }
  return quoted + "'";
}

ssize_t send_message(const Calls& calls, int fd, const std::string& text, int flags) {
  char* const octets = const_cast<char*>(text.data());
  const size_t half = text.size() / 2;
  iovec parts[2] = {{octets, half}, {octets + half, text.size() - half}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return calls.sendmsg(fd, &message, flags);
}

}  // namespace

Runner::Runner(const Calls& calls)
    : calls_(calls),
      wraps_(!is_kernel(calls)),
      pump_(calls.epoll_create1(0)),
      marker_(calls.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
  marker_address_ = make_address(INADDR_LOOPBACK, 0);
  socklen_t length = sizeof marker_address_;
  calls_.bind(marker_, any(marker_address_), length);
  calls_.getsockname(marker_, any(marker_address_), &length);
  calls_.connect(marker_, any(marker_address_), length);
  base_ = end_ = marker_ + 1;
}

std::vector<std::string> Runner::run(const Program& program) {
  numbers_.fill(-1);
  ports_.fill(0);
  kernel_of_.fill(-1);
  seen_ports_.clear();
  free_order_ = program.free_order;
  end_ = base_;
  met_by_chance_ = false;
  std::vector<std::string> answers;
  for (const Op& op : program.ops) {
    answers.push_back(execute(op));
    if (op.call != Call::epoll_ctl) settle();
  }
  close_all();
  return answers;
}

std::string Runner::execute(const Op& op) {
  const int fd = number(op.slot);
  switch (op.call) {
    case Call::socket:
      return open_socket(op);
    case Call::bind:
    case Call::connect:
      return bind_or_connect(op);
    case Call::listen:
      return twin::to_text(calls_.listen(fd, op.a));
    case Call::accept:
      return accept(op);
    case Call::send:
      return send(op);
    case Call::receive:
      return receive(op);
    case Call::shutdown:
      return twin::to_text(calls_.shutdown(fd, op.a));
    case Call::close:
      return close(fd);
    case Call::dup:
      return dup(op);
    case Call::dup2:
      return dup2(op);
    case Call::set_option:
      return set_option(op);
    case Call::get_option:
      return get_option(op);
    case Call::name:
      return name(op);
    case Call::ioctl:
      return ioctl(op);
    case Call::fill:
      return fill(fd);
    case Call::drain:
      return drain(fd);
    default:
      return execute_beside_sockets(op);
  }
}

// Nothing moves afterwards until the next call: see rules.h.
void Runner::settle() {
  for (int round = 0; round < kRestRounds; ++round) {
    char marker = 'm';
    calls_.send(marker_, &marker, 1, 0);
    pollfd arrival{.fd = marker_, .events = POLLIN, .revents = 0};
    if (calls_.recv(marker_, &marker, 1, 0) != 1) {
      calls_.poll(&arrival, 1, kRestMs);
      calls_.recv(marker_, &marker, 1, 0);
    }
  }
}

// With an RST, so that nothing of one program is there in the next but connections in TIME-WAIT.
void Runner::close_all() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (int fd = base_; fd < end_; ++fd) {
    calls_.setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
  }
  settle();
}

int Runner::kernel_number(int fd) const {
  if (!wraps_) return fd;
  const int distance = fd - base_;
  if (distance < 0 || distance >= kMostNumbers) return -1;
  return kernel_of_[static_cast<size_t>(distance)];
}

void Runner::let_go(int fd) {
  if (!wraps_ || kernel_number(fd) < 0) return;
  int& kernel = kernel_of_[static_cast<size_t>(fd - base_)];
  const int gone = std::exchange(kernel, -1);
  if (std::ranges::find(kernel_of_, gone) == kernel_of_.end()) ::close(gone);
}

std::string Runner::adopt(int kernel, int slot) {
  const int fd = calls_.kernel_fd(kernel);
  if (wraps_) kernel_of_[static_cast<size_t>(fd - base_)] = kernel;
  return store(slot, fd);
}

std::string Runner::store(int slot, int fd) {
  const std::string text = fd < 0 ? twin::to_text(fd) : "fd " + std::to_string(fd - base_);
  numbers_[static_cast<size_t>(slot)] = fd;
  has_port_[static_cast<size_t>(slot)] = false;
  end_ = std::max(end_, fd + 1);
  return text;
}

void Runner::note_port(int slot, int named) {
  sockaddr_in local{};
  socklen_t length = sizeof local;
  if (calls_.getsockname(number(slot), any(local), &length) != 0 || local.sin_port == 0) return;
  const uint16_t port = ntohs(local.sin_port);
  uint16_t& known = ports_[static_cast<size_t>(slot)];
  bool& has_port = has_port_[static_cast<size_t>(slot)];
  if (has_port && port == known) return;
  known = port;
  has_port = true;
  const bool is_new = std::ranges::find(seen_ports_, port) == seen_ports_.end();
  if (is_new) seen_ports_.push_back(port);
  if ((!is_new || local.sin_port == marker_address_.sin_port) && port != named) {
    met_by_chance_ = true;
  }
}

sockaddr_in Runner::address(int32_t kind, int slot) const {
  const uint16_t port = ports_[static_cast<size_t>(slot)];
  switch (static_cast<Address>(kind)) {
    case Address::of_slot:
      return make_address(INADDR_LOOPBACK, port);
    case Address::wildcard_of_slot:
      return make_address(INADDR_ANY, port);
    case Address::loopback:
      return make_address(INADDR_LOOPBACK, 0);
    case Address::wildcard:
      return make_address(INADDR_ANY, 0);
    case Address::closed:
      return make_address(INADDR_LOOPBACK, kClosedPort);
    case Address::none:
      break;
  }
  return {};  // AF_UNSPEC is 0
}

std::string Runner::to_text(const sockaddr_in& address, socklen_t length) {
  if (length == 0) return "no address";
  const uint16_t port = ntohs(address.sin_port);
  std::string text = std::string(inet_ntoa(address.sin_addr)) + ":";
  if (port == 0 || port == kClosedPort) return text + std::to_string(port);
  const auto at = std::ranges::find(seen_ports_, port);
  const auto order = at - seen_ports_.begin();
  if (at == seen_ports_.end()) seen_ports_.push_back(port);
  return text + "port " + std::to_string(order);
}

void Runner::set_tcp_option(int fd, int name) {
  const int on = 1;
  calls_.setsockopt(fd, IPPROTO_TCP, name, &on, sizeof on);
}

std::string Runner::open_socket(const Op& op) {
  const int type = op.a == 0 ? SOCK_STREAM : SOCK_DGRAM;
  const int fd = calls_.socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (op.a == 0) set_tcp_option(fd, TCP_NODELAY);
  if (op.a == 0) set_tcp_option(fd, TCP_QUICKACK);
  return store(op.slot, fd);
}

std::string Runner::bind_or_connect(const Op& op) {
  const sockaddr_in to = address(op.a, op.other);
  const auto call = op.call == Call::bind ? calls_.bind : calls_.connect;
  const std::string text = twin::to_text(call(number(op.slot), any(to), sizeof to));
  note_port(op.slot, ntohs(to.sin_port));
  return text;
}

std::string Runner::accept(const Op& op) {
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const int fd = calls_.accept4(number(op.slot), any(from), &length, SOCK_NONBLOCK);
  const std::string text = store(op.other, fd);
  if (fd < 0) return text;
  note_port(op.other, ports_[static_cast<size_t>(op.slot)]);
  set_tcp_option(fd, TCP_QUICKACK);
  return text + " from " + to_text(from, length);
}

std::string Runner::send(const Op& op) {
  const int fd = number(op.slot);
  const std::string text = letters(op.data, op.a);
  const int flags = op.b | MSG_NOSIGNAL;
  const int kernel = kernel_number(fd);
  switch (op.c) {
    case 1:
      return twin::to_text(wraps_ && kernel >= 0 ? ::write(kernel, text.data(), text.size())
                                                 : calls_.write(fd, text.data(), text.size()));
    case 2: {
      const sockaddr_in to = address(op.d, op.other);
      const std::string result =
          twin::to_text(calls_.sendto(fd, text.data(), text.size(), flags, any(to), sizeof to));
      note_port(op.slot);
      return result;
    }
    case 3:
      return twin::to_text(send_message(calls_, fd, text, flags));
    default:
      return twin::to_text(calls_.send(fd, text.data(), text.size(), flags));
  }
}

std::string Runner::receive(const Op& op) {
  std::array<char, kMostOctets> buffer;
  buffer.fill('.');
  const int fd = number(op.slot), kernel = kernel_number(fd);
  const auto length = static_cast<size_t>(op.a);
  sockaddr_in from{};
  socklen_t from_length = sizeof from;
  iovec part{.iov_base = buffer.data(), .iov_len = length};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t n = 0;
  if (op.c == 0) n = calls_.recv(fd, buffer.data(), length, op.b);
  if (op.c == 1 && wraps_ && kernel >= 0) n = ::read(kernel, buffer.data(), length);
  if (op.c == 1 && !(wraps_ && kernel >= 0)) n = calls_.read(fd, buffer.data(), length);
  if (op.c == 2) n = calls_.recvfrom(fd, buffer.data(), length, op.b, any(from), &from_length);
  if (op.c == 3) n = calls_.recvmsg(fd, &message, op.b);
  std::string text = twin::to_text(n);
  if (n < 0) return text;
  text += " " + quote(buffer.data(), std::min(static_cast<size_t>(n), length));
  if (op.c == 2) text += " from " + to_text(from, from_length);
  if (op.c == 3) text += " from " + to_text(from, message.msg_namelen);
  if (op.c == 3) text += " flags " + std::to_string(message.msg_flags);
  return text;
}

std::string Runner::close(int fd) {
  const std::string text = twin::to_text(calls_.close(fd));
  let_go(fd);
  return text;
}

std::string Runner::dup(const Op& op) {
  const int from = number(op.slot), fd = calls_.dup(from);
  if (fd >= 0 && wraps_) kernel_of_[static_cast<size_t>(fd - base_)] = kernel_number(from);
  const bool has_port = has_port_[static_cast<size_t>(op.slot)];
  std::string text = store(op.other, fd);
  ports_[static_cast<size_t>(op.other)] = ports_[static_cast<size_t>(op.slot)];
  has_port_[static_cast<size_t>(op.other)] = has_port;
  return text;
}

std::string Runner::dup2(const Op& op) {
  const int from = number(op.slot), to = number(op.other);
  const int fd = calls_.dup2(from, to);
  if (fd < 0) return twin::to_text(fd);
  if (wraps_ && from != to) {
    let_go(to);
    kernel_of_[static_cast<size_t>(to - base_)] = kernel_number(from);
  }
  ports_[static_cast<size_t>(op.other)] = ports_[static_cast<size_t>(op.slot)];
  has_port_[static_cast<size_t>(op.other)] = has_port_[static_cast<size_t>(op.slot)];
  return "fd " + std::to_string(fd - base_);
}

std::string Runner::set_option(const Op& op) {
  const Option& option = kOptions[static_cast<size_t>(op.a)];
  const linger at_once{.l_onoff = op.b, .l_linger = 0};
  const bool is_linger = option.level == SOL_SOCKET && option.name == SO_LINGER;
  const void* value = is_linger ? static_cast<const void*>(&at_once) : &op.b;
  const socklen_t length = is_linger ? sizeof at_once : sizeof op.b;
  return twin::to_text(
      calls_.setsockopt(number(op.slot), option.level, option.name, value, length));
}

std::string Runner::get_option(const Op& op) {
  const Option& option = kOptions[static_cast<size_t>(op.a)];
  int value[2] = {0, 0};
  socklen_t length = sizeof value;
  const int result = calls_.getsockopt(number(op.slot), option.level, option.name, value, &length);
  if (result < 0) return twin::to_text(result);
  if (option.level == IPPROTO_TCP && option.name == TCP_INFO) {
    return "state " + std::to_string(value[0] & 0xff);
  }
  if (option.level == SOL_SOCKET && option.name == SO_ERROR && value[0] != 0) {
    return strerrorname_np(value[0]);
  }
  return std::to_string(value[0]) + (value[1] ? "," + std::to_string(value[1]) : "");
}

std::string Runner::name(const Op& op) {
  sockaddr_in seen{};
  socklen_t length = sizeof seen;
  const auto call = op.a == 0 ? calls_.getsockname : calls_.getpeername;
  const int result = call(number(op.slot), any(seen), &length);
  return result < 0 ? twin::to_text(result) : to_text(seen, length);
}

std::string Runner::ioctl(const Op& op) {
  int value = -1;
  const int fd = number(op.slot);
  const int result = calls_.ioctl(fd, op.a == 0 ? FIONREAD : SIOCATMARK, &value);
  return result < 0 ? twin::to_text(result) : std::to_string(value);
}

std::string Runner::fill(int fd) {
  const std::string text(16384, '#');
  ssize_t sent = 0;
  for (int calls = 0, refused = 0; refused < 3 && calls < kMostSends; ++calls) {
    sent = calls_.send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) continue;
    ++refused;
    settle();
  }
  return twin::to_text(sent);
}

std::string Runner::drain(int fd) {
  std::array<char, 16384> buffer;
  ssize_t n = 0;
  for (int empty = 0; empty < 3;) {
    n = calls_.recv(fd, buffer.data(), buffer.size(), 0);
    if (n > 0) continue;
    ++empty;
    settle();
  }
  return twin::to_text(n);
}

}  // namespace pollux::twin
