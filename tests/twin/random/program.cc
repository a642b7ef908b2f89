// program.cc - programs as C: what a reader needs to see a difference with no tool but a compiler.
#include "tests/twin/random/program.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <span>
#include <utility>

#include "tests/twin/random/rules.h"

namespace pollux::twin {
namespace {

using Names = std::span<const std::pair<uint32_t, const char*>>;

constexpr std::pair<uint32_t, const char*> kEventNames[] = {
    {EPOLLIN, "EPOLLIN"},
    {EPOLLPRI, "EPOLLPRI"},
    {EPOLLOUT, "EPOLLOUT"},
    {EPOLLERR, "EPOLLERR"},
    {EPOLLHUP, "EPOLLHUP"},
    {EPOLLRDNORM, "EPOLLRDNORM"},
    {EPOLLRDBAND, "EPOLLRDBAND"},
    {EPOLLWRNORM, "EPOLLWRNORM"},
    {EPOLLWRBAND, "EPOLLWRBAND"},
    {EPOLLRDHUP, "EPOLLRDHUP"},
    {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
    {EPOLLWAKEUP, "EPOLLWAKEUP"},
    {EPOLLONESHOT, "EPOLLONESHOT"},
    {EPOLLET, "EPOLLET"},
};
constexpr std::pair<uint32_t, const char*> kFlagNames[] = {
    {MSG_OOB, "MSG_OOB"},           {MSG_PEEK, "MSG_PEEK"},       {MSG_TRUNC, "MSG_TRUNC"},
    {MSG_DONTWAIT, "MSG_DONTWAIT"}, {MSG_WAITALL, "MSG_WAITALL"}, {MSG_NOSIGNAL, "MSG_NOSIGNAL"},
    {MSG_ERRQUEUE, "MSG_ERRQUEUE"}, {MSG_MORE, "MSG_MORE"},
};

std::string slot(int index) { return "s[" + std::to_string(index) + "]"; }
std::string text(int64_t value) { return std::to_string(value); }

std::string names_of(uint32_t bits, Names names) {
  std::string text;
  for (const auto& [bit, name] : names) {
    if (!(bits & bit)) continue;
    text += (text.empty() ? "" : " | ") + std::string(name);
    bits &= ~bit;
  }
  if (bits || text.empty()) text += (text.empty() ? "" : " | ") + std::to_string(bits) + "u";
  return text;
}

std::string address_of(int32_t kind, int index) {
  const std::string port = "port[" + std::to_string(index) + "]";
  switch (static_cast<Address>(kind)) {
    case Address::of_slot:
      return "at(AF_INET, LOOPBACK, " + port + ")";
    case Address::wildcard_of_slot:
      return "at(AF_INET, INADDR_ANY, " + port + ")";
    case Address::loopback:
      return "at(AF_INET, LOOPBACK, 0)";
    case Address::wildcard:
      return "at(AF_INET, INADDR_ANY, 0)";
    case Address::closed:
      return "at(AF_INET, LOOPBACK, 9)";
    case Address::none:
      break;
  }
  return "at(AF_UNSPEC, 0, 0)";
}

std::string assign(int index, const std::string& call) { return slot(index) + " = " + call; }

std::string send_to_c(const Op& op) {
  const std::string octets = slot(op.slot) + ", \"" + letters(op.data, op.a) + "\", " + text(op.a);
  const std::string flags = names_of(static_cast<uint32_t>(op.b) | MSG_NOSIGNAL, kFlagNames);
  if (op.c == 1) return "write(" + octets + ")";
  if (op.c == 2) {
    return "sendto(" + octets + ", " + flags + ", " + address_of(op.d, op.other) + ", sizeof at_)";
  }
  return "send(" + octets + ", " + flags + ")";
}

std::string receive_to_c(const Op& op) {
  const std::string octets = slot(op.slot) + ", buffer, " + text(op.a);
  if (op.c == 1) return "read(" + octets + ")";
  return "recv(" + octets + ", " + names_of(static_cast<uint32_t>(op.b), kFlagNames) + ")";
}

std::string ctl_to_c(const Op& op) {
  static constexpr const char* kOperations[] = {"0", "EPOLL_CTL_ADD", "EPOLL_CTL_DEL",
                                                "EPOLL_CTL_MOD"};
  const bool is_known = op.a >= 0 && op.a <= 3;
  const std::string begin =
      slot(op.slot) + ", " + (is_known ? kOperations[op.a] : text(op.a)) + ", " + slot(op.other);
  if (op.b) return "epoll_ctl(" + begin + ", NULL)";
  return "ctl(" + begin + ", " + names_of(op.events, kEventNames) + ", " + std::to_string(op.data) +
         ")";
}

std::string watches_to_c(const char* call, const Op& op) {
  std::string list;
  for (const Watch& watch : std::span(op.watches).first(op.watch_count)) {
    list += (list.empty() ? "{" : ", {") + slot(watch.slot) + ", " + text(watch.events) + ", 0}";
  }
  return std::string(call) + "((struct pollfd[]){" + (list.empty() ? "{0}" : list) + "}, " +
         text(op.watch_count) + ")";
}

std::string option_to_c(const Op& op) {
  const Option& option = kOptions[static_cast<size_t>(op.a)];
  const std::string begin = slot(op.slot) + ", " + option.level_text + ", " + option.name_text;
  if (op.call == Call::get_option) return "optional(" + begin + ")";
  return "option(" + begin + ", " + text(op.b) + ")";
}

}  // namespace

const std::vector<Option> kOptions = {
    {SOL_SOCKET, SO_ERROR, "SOL_SOCKET", "SO_ERROR"},
    {SOL_SOCKET, SO_TYPE, "SOL_SOCKET", "SO_TYPE"},
    {SOL_SOCKET, SO_ACCEPTCONN, "SOL_SOCKET", "SO_ACCEPTCONN"},
    {IPPROTO_TCP, TCP_INFO, "IPPROTO_TCP", "TCP_INFO"},
    {SOL_SOCKET, SO_REUSEADDR, "SOL_SOCKET", "SO_REUSEADDR"},
    {SOL_SOCKET, SO_RCVLOWAT, "SOL_SOCKET", "SO_RCVLOWAT"},
    {SOL_SOCKET, SO_OOBINLINE, "SOL_SOCKET", "SO_OOBINLINE"},
    {SOL_SOCKET, SO_KEEPALIVE, "SOL_SOCKET", "SO_KEEPALIVE"},
    {SOL_SOCKET, SO_LINGER, "SOL_SOCKET", "SO_LINGER"},
};

std::string letters(uint64_t first, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += static_cast<char>('a' + (first + i) % 26);
  return text;
}

std::string to_c(const Op& op) {
  const std::string fd = slot(op.slot);
  switch (op.call) {
    case Call::socket:
      return assign(op.slot, op.a == 0 ? "tcp()" : "udp()");
    case Call::bind:
      return "bind(" + fd + ", " + address_of(op.a, op.other) + ", sizeof at_)";
    case Call::listen:
      return "listen(" + fd + ", " + text(op.a) + ")";
    case Call::connect:
      return "connect(" + fd + ", " + address_of(op.a, op.other) + ", sizeof at_)";
    case Call::accept:
      return assign(op.other, "accept4(" + fd + ", NULL, NULL, SOCK_NONBLOCK)");
    case Call::send:
      return send_to_c(op);
    case Call::receive:
      return receive_to_c(op);
    case Call::shutdown:
      return "shutdown(" + fd + ", " + text(op.a) + ")";
    case Call::close:
      return "close(" + fd + ")";
    case Call::dup:
      return assign(op.other, "dup(" + fd + ")");
    case Call::dup2:
      return "dup2(" + fd + ", " + slot(op.other) + ")";
    case Call::set_option:
    case Call::get_option:
      return option_to_c(op);
    case Call::name:
      return "address(" + fd + ", " + (op.a == 0 ? "getsockname)" : "getpeername)");
    case Call::ioctl:
      return "request(" + fd + ", " + (op.a == 0 ? "FIONREAD)" : "SIOCATMARK)");
    case Call::epoll_create:
      return assign(op.slot, (op.c ? "epoll_create(" : "epoll_create1(") + text(op.a) + ")");
    case Call::epoll_ctl:
      return ctl_to_c(op);
    case Call::epoll_wait:
      return "wait_for(" + fd + ", " + text(op.a) + ", " + text(op.b) + ")";
    case Call::poll:
      return watches_to_c("look", op);
    case Call::select:
      return watches_to_c("choose", op);
    case Call::event_fd:
      return assign(op.slot, "eventfd(" + text(op.a) + ", EFD_NONBLOCK)");
    case Call::timer_fd:
      return assign(op.slot, "timer(" + text(op.a) + ")");
    case Call::pipe:
      return "pair(" + text(op.slot) + ", " + text(op.other) + ")";
    case Call::event_write:
      return "eventfd_write(" + fd + ", " + text(op.a) + ")";
    case Call::fill:
      return "fill(" + fd + ")";
    case Call::drain:
      return "drain(" + fd + ")";
  }
  return "";
}

std::string to_c(const Program& program, const std::vector<std::string>& notes) {
  std::string source = "#include \"prelude.h\"\n\nint main(void) {\n";
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    source += "  SHOW(" + to_c(op) + ");";
    if (i < notes.size()) source += "  // " + notes[i];
    source += "\n";
    const bool may_bind =
        op.call == Call::bind || op.call == Call::connect || (op.call == Call::send && op.c == 2);
    if (may_bind) source += "  note_port(" + text(op.slot) + ");\n";
    if (op.call == Call::accept) source += "  note_port(" + text(op.other) + ");\n";
    if (op.call == Call::dup || op.call == Call::dup2) {
      source += "  port[" + text(op.other) + "] = port[" + text(op.slot) + "];\n";
    }
  }
  return source + "  return 0;\n}\n";
}

}  // namespace pollux::twin
