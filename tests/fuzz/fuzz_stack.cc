// fuzz_stack.cc - a whole stack with sockets: frames and segments of any shape, time, and calls.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <optional>

#include "tests/fuzz/fuzz_world.h"

namespace pollux::fuzz {
namespace {

// The operations, and what follows each.
enum Operation : std::uint8_t {
  kFrame,     // length (2), a frame
  kPacket,    // protocol, length (1), the payload of an IPv4 packet to us
  kSegment,   // see Run::segment
  kTime,      // milliseconds (2)
  kRead,      // which socket, flags
  kWrite,     // which socket, octets / 16, flags
  kClose,     // which socket
  kShutdown,  // which socket, how
  kAccept,
  kConnect,
  kOption,  // which socket, which option, value
  kIcmp,    // type, code, the four octets behind the checksum: about our last packet
  kOperations
};

struct Name {
  int level;
  int name;
};
constexpr Name kOptions[] = {{SOL_SOCKET, SO_SNDBUF},
                             {SOL_SOCKET, SO_RCVBUF},
                             {SOL_SOCKET, SO_RCVLOWAT},
                             {SOL_SOCKET, SO_KEEPALIVE},
                             {SOL_SOCKET, SO_OOBINLINE},
                             {SOL_SOCKET, SO_REUSEADDR},
                             {IPPROTO_TCP, TCP_NODELAY},
                             {IPPROTO_TCP, TCP_CORK},
                             {IPPROTO_TCP, TCP_QUICKACK},
                             {IPPROTO_TCP, TCP_MAXSEG},
                             {IPPROTO_TCP, TCP_KEEPIDLE},
                             {IPPROTO_TCP, TCP_KEEPINTVL},
                             {IPPROTO_TCP, TCP_KEEPCNT},
                             {IPPROTO_TCP, TCP_SYNCNT},
                             {IPPROTO_TCP, TCP_LINGER2},
                             {IPPROTO_TCP, TCP_DEFER_ACCEPT},
                             {IPPROTO_TCP, TCP_WINDOW_CLAMP},
                             {IPPROTO_TCP, TCP_USER_TIMEOUT},
                             {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
                             {IPPROTO_IP, IP_TOS},
                             {IPPROTO_IP, IP_TTL},
                             {IPPROTO_IP, IP_RECVERR},
                             {IPPROTO_IP, IP_MTU_DISCOVER},
                             {IPPROTO_IP, IP_RECVTOS}};
constexpr int kReadFlags[] = {0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_ERRQUEUE, MSG_WAITALL};
constexpr int kWriteFlags[] = {0, 0, MSG_MORE, MSG_OOB};

// What the peer's text is at one place of its sequence space: what a program reads goes on by one.
constexpr std::uint32_t kPattern = 251;

Octets syn_to_server() { return {kSegment, 0, 0x02, 0, 0, 0, 0, 255, 0, 4, 2, 4, 5, 0xb4}; }

// One input.
class Run {
 public:
  explicit Run(Input& input) : input_(input), world_(world()) { world_.begin(); }
  void step();

 private:
  void segment();
  void read(std::size_t number, int flags);
  void check_order(std::size_t number, ConstBytes octets);
  void write(Socket* socket, std::size_t size, int flags);
  void close(std::size_t number);
  void shutdown(Socket* socket, int how);
  void accept();
  void connect();
  void set_option(Socket* socket, const Name& option, std::uint8_t value);
  void icmp_error();
  std::size_t number() { return input_.octet() % kSockets; }
  std::size_t number_of(Socket** slot) {
    return static_cast<std::size_t>(slot - &world_.socket(0));
  }

  Input& input_;
  World& world_;
  std::array<std::optional<std::uint32_t>, kSockets> next_{};  // what the next octet read must be
  bool is_ordered_ = true;  // no urgent octet has left the stream, nothing was thrown away
};

// flow, control, seq - expected (2, signed), ack - expected (2, signed), window, urgent pointer,
// octets of options (then the options), octets of text.
void Run::segment() {
  const unsigned number = input_.octet() % 4u;
  const Flow& flow = world_.flow(number);
  wire::TcpHeader header{};
  header.source_port =
      number == 0 ? kClientPeerPort : static_cast<std::uint16_t>(9000 + number - 1);
  header.destination_port = number == 0 && flow.our_port != 0 ? flow.our_port : kServerPort;
  header.control = input_.octet();
  const std::uint32_t seq =
      flow.next + static_cast<std::uint32_t>(static_cast<std::int16_t>(input_.half()));
  header.seq = seq;
  header.ack = flow.theirs + static_cast<std::uint32_t>(static_cast<std::int16_t>(input_.half()));
  header.window = static_cast<std::uint16_t>(input_.octet() * 257);
  header.urgent_pointer = input_.octet();
  if ((header.control & tcp::URG) != 0) is_ordered_ = false;
  Octets options = input_.octets(input_.octet() % 41u);
  options.resize((options.size() + 3) & ~std::size_t{3}, 0);
  header.data_offset = static_cast<std::uint8_t>((sizeof header + options.size()) / 4 << 4);
  header.checksum = 0;
  const std::size_t size = input_.octet() * std::size_t{5};
  Octets octets(sizeof header + options.size());
  std::memcpy(octets.data(), &header, sizeof header);
  for (std::size_t i = 0; i < options.size(); ++i) octets[sizeof header + i] = options[i];
  const std::uint32_t first = seq + ((header.control & tcp::SYN) != 0 ? 1 : 0);
  for (std::uint32_t i = 0; i < size; ++i) {
    octets.push_back(static_cast<std::uint8_t>((first + i) % kPattern));
  }
  wire::Sum sum(wire::pseudo_header_sum(
      {kPeer, kUs, wire::kProtocolTcp, static_cast<std::uint32_t>(octets.size())}));
  sum.add(bytes_of(octets));
  octets[16] = static_cast<std::uint8_t>(sum.checksum() >> 8);
  octets[17] = static_cast<std::uint8_t>(sum.checksum());
  world_.ip_packet(wire::kProtocolTcp, octets);
}

void Run::read(std::size_t number, int flags) {
  Socket* socket = world_.socket(number);
  if (socket == nullptr) return;
  std::array<std::byte, 4096> room;
  const iovec vector{room.data(), room.size()};
  ReceiveMessage message{
      .vector = {&vector, 1}, .length = room.size(), .flags = flags | MSG_DONTWAIT};
  Inside inside(world_.stack());
  const Result<std::size_t> n = socket->receive(message, inside.now());
  CHECK(!n || *n <= room.size());
  if (flags == MSG_TRUNC || flags == MSG_OOB) is_ordered_ = false;
  if (n && flags == 0 && socket->is_stream()) {
    check_order(number, ConstBytes(room).first(*n));
  }
}

// Every octet once and in its place, as far as a pattern of 251 can tell.
void Run::check_order(std::size_t number, ConstBytes octets) {
  for (const std::byte octet : octets) {
    const auto value = static_cast<std::uint32_t>(octet);
    CHECK(!is_ordered_ || !next_[number] || value == *next_[number]);
    next_[number] = (value + 1) % kPattern;
  }
}

void Run::write(Socket* socket, std::size_t size, int flags) {
  if (socket == nullptr) return;
  std::array<std::byte, 4096> room{};
  const iovec vector{room.data(), std::min(size, room.size())};
  const Endpoint to{kPeer, 7000};
  const SendMessage message{.vector = {&vector, 1},
                            .length = vector.iov_len,
                            .flags = flags | MSG_NOSIGNAL,
                            .to = socket->is_stream() ? nullptr : &to,
                            .control = {}};
  Inside inside(world_.stack());
  (void)socket->send(message, inside.now()).ok();
}

void Run::close(std::size_t number) {
  Socket*& socket = world_.socket(number);
  next_[number].reset();
  if (socket != nullptr) std::exchange(socket, nullptr)->put();
}

void Run::shutdown(Socket* socket, int how) {
  if (socket == nullptr) return;
  Inside inside(world_.stack());
  (void)socket->shutdown(how, inside.now()).ok();
}

void Run::accept() {
  Socket** slot = world_.empty_slot();
  if (slot == nullptr || world_.socket(0) == nullptr) return;
  Inside inside(world_.stack());
  const Result<Socket*> accepted = world_.socket(0)->accept(inside.now());
  if (accepted) *slot = *accepted;
}

void Run::connect() {
  Socket** slot = world_.empty_slot();
  if (slot == nullptr) return;
  *slot = world_.open(SOCK_STREAM);
  Inside inside(world_.stack());
  (void)(*slot)->connect({kPeer, kClientPeerPort}, inside.now()).ok();
}

// Small values as they are, larger ones squared.
void Run::set_option(Socket* socket, const Name& option, std::uint8_t value) {
  if (socket == nullptr) return;
  const int wanted = value < 128 ? value : value * value;
  int kept = 0;
  Inside inside(world_.stack());
  (void)socket
      ->set_option(option.level, option.name, std::as_bytes(std::span(&wanted, 1)), inside.now())
      .ok();
  const auto room = std::as_writable_bytes(std::span(&kept, 1));
  (void)socket->get_option(option.level, option.name, room, inside.now()).ok();
}

void Run::icmp_error() {
  Octets message(8);
  message[0] = input_.octet();
  message[1] = input_.octet();
  for (std::size_t i = 4; i < 8; ++i) message[i] = input_.octet();
  for (const std::uint8_t octet : world_.last_packet()) {
    if (message.size() == 72) break;
    message.push_back(octet);
  }
  const std::uint16_t sum = wire::checksum(bytes_of(message));
  message[2] = static_cast<std::uint8_t>(sum >> 8);
  message[3] = static_cast<std::uint8_t>(sum);
  world_.ip_packet(wire::kProtocolIcmp, message);
}

void Run::step() {
  switch (input_.octet() % kOperations) {
    case kFrame:
      return world_.transmit(packet_of(input_.octets(input_.half() % 2000u)));
    case kPacket: {
      const std::uint8_t protocol = input_.octet();
      is_ordered_ = is_ordered_ && protocol != wire::kProtocolTcp;
      return world_.ip_packet(protocol, input_.octets(input_.octet()));
    }
    case kSegment:
      return segment();
    case kTime:
      world_.advance(Duration::ms(input_.half()));
      break;
    case kRead: {
      const std::size_t which = number();
      read(which, kReadFlags[input_.octet() % std::size(kReadFlags)]);
      break;
    }
    case kWrite: {
      Socket* socket = world_.socket(number());
      const std::size_t size = input_.octet() * std::size_t{16};
      write(socket, size, kWriteFlags[input_.octet() % std::size(kWriteFlags)]);
      break;
    }
    case kClose:
      close(number());
      break;
    case kShutdown: {
      Socket* socket = world_.socket(number());
      shutdown(socket, input_.octet() % 3);
      break;
    }
    case kAccept:
      accept();
      break;
    case kConnect:
      connect();
      break;
    case kOption: {
      Socket* socket = world_.socket(number());
      const Name& option = kOptions[input_.octet() % std::size(kOptions)];
      set_option(socket, option, input_.octet());
      break;
    }
    default:
      return icmp_error();
  }
  world_.poll();
}

}  // namespace

std::vector<Octets> seeds() {
  const Octets ack{kSegment, 0, 0x10, 0, 0, 0, 0, 255, 0, 0, 0};
  const Octets text{kSegment, 1, 0x18, 0, 0, 0, 0, 255, 0, 0, 20};
  const Octets late{kSegment, 1, 0x18, 0, 100, 0, 0, 255, 0, 0, 20};
  const Octets fin{kSegment, 1, 0x11, 0, 0, 0, 0, 255, 0, 0, 0};
  const Octets rst{kSegment, 1, 0x04, 0, 0, 0, 0, 255, 0, 0, 0};
  Octets syn = syn_to_server(), established = ack;
  syn[1] = established[1] = 1;
  std::vector<Octets> made;
  const auto join = [&made](std::initializer_list<Octets> parts) {
    Octets whole;
    for (const Octets& part : parts) whole.insert(whole.end(), part.begin(), part.end());
    made.push_back(whole);
  };
  const Octets read{kRead, 2, 0}, closes{kClose, 2}, accepts{kAccept};
  join({syn, {0}, established, accepts, text, read, fin, closes, {kTime, 255, 255}});
  join({syn, {0}, established, accepts, late, text, read, {kShutdown, 2, 1}, established, fin});
  join({syn, {0}, established, accepts, {kWrite, 2, 255, 0}, established, closes, fin});
  join({syn, {0}, established, accepts, text, text, rst, read});
  join({{kConnect},
        {kSegment, 0, 0x12, 0, 0, 0, 0, 255, 0, 4, 2, 4, 5, 0xb4, 0},
        ack,
        {kOption, 2, 7, 1, kWrite, 2, 200, 2},
        {kTime, 1, 0},
        {kIcmp, 3, 4, 0, 0, 2, 88},
        ack,
        closes});
  join({{kPacket, 17, 11, 0x9c, 0x40, 0, 53, 0, 11, 0, 0, 1, 2, 3},
        {kRead, 1, 0, kWrite, 1, 9, 0, kIcmp, 3, 3, 0, 0, 0, 0, kRead, 1, 6}});
  join({{kPacket, 1, 12, 8, 0, 0xf7, 0xfd, 0, 1, 0, 1, 0, 0, 0, 0}, {kTime, 0, 50}});
  return made;
}

}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pollux::fuzz::Input input(data, size);
  pollux::fuzz::Run run(input);
  for (int steps = 0; steps < 200 && !input.is_empty(); ++steps) run.step();
  return 0;
}
