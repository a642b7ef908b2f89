// fuzz_stack.cc - a whole stack with sockets: frames and segments of any shape, time, and calls.
#include <netinet/in.h>

#include <array>
#include <optional>

#include "drivers/loopback.h"
#include "epoll/eventpoll.h"
#include "stack/core/inside.h"
#include "stack/link/ethernet.h"
#include "stack/socket/socket.h"
#include "tests/fuzz/fuzz_packets.h"
#include "tests/fuzz/fuzz_stack.h"
#include "tests/sim/sim_clock.h"

namespace pollux::fuzz {
namespace {

const IpAddress kUs = IpAddress::v4(198, 18, 0, 1), kPeer = IpAddress::v4(198, 18, 0, 2);
constexpr std::uint16_t kServerPort = 80, kUdpPort = 53, kClientPeerPort = 8080;
constexpr std::size_t kSockets = 8;

// The operations, and what follows each.
enum Operation : std::uint8_t {
  kFrame,    // length (2), a frame
  kPacket,   // protocol, length (1), the payload of an IPv4 packet to us
  kSegment,  // see Peer::segment
  kTime,     // milliseconds (2)
  kRead,     // which socket
  kWrite,    // which socket, octets / 16
  kClose,    // which socket
  kAccept,
  kConnect,
  kOperations
};

Octets syn_to_server() { return {kSegment, 0, 0x02, 0, 0, 0, 0, 255, 0, 4, 2, 4, 5, 0xb4}; }

// What our stack said last to a port of the peer: where its next segments fit.
struct Flow {
  std::uint16_t our_port = 0;
  std::uint32_t next = 1000;  // of the peer: what we acknowledged
  std::uint32_t theirs = 0;   // of us: behind the last octet we sent
};

Config config() {
  Config made;
  made.packets = 2047;
  made.sockets = 64;
  made.connections = 64;
  made.listeners = 4;
  made.time_waits = 16;
  made.neighbours = 16;
  made.tcp.syncookies = kSynCookies;
  return made;
}

// Everything that one input touches.
class Run {
 public:
  explicit Run(Input& input) : input_(input) {
    PortConfig port;
    port.name = "fuzz";
    port.addresses = {{kUs, 24}};
    stack_.add_interface(wire_.a(), port);
    sockets_[0] = open(SOCK_STREAM);
    Inside inside(stack_);
    CHECK(sockets_[0]->bind({kUs, kServerPort}, clock_.now()));
    CHECK(sockets_[0]->listen(4, clock_.now()));
  }
  ~Run() {
    for (Socket* socket : sockets_) {
      if (socket != nullptr) socket->put();
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void prepare() {
    sockets_[1] = open(SOCK_DGRAM);
    {
      Inside inside(stack_);
      CHECK(sockets_[1]->bind({IpAddress::any_v4(), kUdpPort}, clock_.now()));
    }
    frame(arp_request(), ethernet::kTypeArp);
  }
  void step();

 private:
  Socket* open(int type) {
    Inside inside(stack_);
    const Result<Socket*> made = create_socket(stack_.world(), {AF_INET, type, 0});
    CHECK(made);
    return *made;
  }
  static Octets arp_request() {
    wire::ArpPacket arp{};
    arp.hardware_type = 1;
    arp.protocol_type = 0x0800;
    arp.hardware_length = 6;
    arp.protocol_length = 4;
    arp.operation = 1;
    arp.sender_mac[0] = 2;
    arp.sender_mac[5] = 2;
    arp.sender_ip = kPeer.v4_bits();
    arp.target_ip = kUs.v4_bits();
    Octets octets;
    append(octets, arp);
    return octets;
  }
  void frame(const Octets& payload, std::uint16_t type) {
    Packet packet = packet_of(payload);
    ethernet::prepend(packet, {wire_.b().caps().mac, wire_.a().caps().mac}, type, 0);
    transmit(std::move(packet));
  }
  void transmit(Packet packet) {
    wire_.b().tx_burst({&packet, 1});
    poll();
  }
  void ip_packet(std::uint8_t protocol, const Octets& payload) {
    Octets octets;
    append(octets, ip_header(protocol, payload.size()));
    octets.insert(octets.end(), payload.begin(), payload.end());
    frame(octets, ethernet::kTypeIpv4);
  }
  void segment();
  void poll();
  void look(Packet packet);
  void note(ConstBytes octets);
  Flow& flow_of(std::uint16_t peer_port) {
    return flows_[peer_port == kClientPeerPort ? 0 : peer_port % 3u + 1];
  }
  Socket* chosen() { return sockets_[input_.octet() % kSockets]; }
  Socket** empty_slot() {
    for (Socket*& socket : sockets_) {
      if (socket == nullptr) return &socket;
    }
    return nullptr;
  }
  void read(Socket* socket);
  void write(Socket* socket, std::size_t size);
  void accept();
  void connect();

  Input& input_;
  sim::SimClock clock_;
  const Config config_ = config();
  tcp::Ports ports_{128, {}, 1};
  LoopbackPair wire_{256, 1500};
  Stack stack_{config_, {packet_pool(), ports_, clock_}, 1, {}};
  std::array<Socket*, kSockets> sockets_{};
  std::array<Flow, 4> flows_{};
};

void Run::poll() {
  for (int round = 0; round < 4; ++round) {
    {
      Inside inside(stack_);
      stack_.poll(64, inside.now());
    }
    std::array<Packet, 32> burst;
    const std::size_t n = wire_.b().rx_burst(burst);
    for (std::size_t i = 0; i < n; ++i) look(std::move(burst[i]));
    if (n == 0) return;
  }
}

// What leaves must be right: lengths, checksums, addresses.
void Run::look(Packet packet) {
  const auto accepted = ethernet::accept(packet, wire_.b().caps().mac, 0);
  if (!accepted) return;  // for somebody that the input invented
  if (accepted->type == ethernet::kTypeArp) return;
  CHECK(accepted->type == ethernet::kTypeIpv4);
  const Octets octets = octets_in(packet);
  CHECK(octets.size() >= sizeof(wire::Ipv4Header));
  const auto& header = *reinterpret_cast<const wire::Ipv4Header*>(octets.data());
  CHECK(header.version_ihl == 0x45 && header.total_length == octets.size() && header.ttl != 0);
  CHECK(wire::is_checksum_right(bytes_of(octets).first(sizeof header)));
  const ConstBytes payload = bytes_of(octets).subspan(sizeof header);
  if ((header.fragment & ~wire::kIpv4DontFragment) != 0) return;
  wire::Sum sum;
  if (header.protocol != wire::kProtocolIcmp) {
    sum = wire::Sum(
        wire::pseudo_header_sum({IpAddress::v4(header.source), IpAddress::v4(header.destination),
                                 header.protocol, static_cast<std::uint32_t>(payload.size())}));
  }
  sum.add(payload);
  CHECK(sum.folded() == 0xffff);
  if (header.protocol == wire::kProtocolTcp) note(payload);
}

void Run::note(ConstBytes octets) {
  CHECK(octets.size() >= sizeof(wire::TcpHeader));
  const auto& header = *reinterpret_cast<const wire::TcpHeader*>(octets.data());
  CHECK(header.header_length() >= 20 && header.header_length() <= octets.size());
  Flow& flow = flow_of(header.destination_port);
  flow.our_port = header.source_port;
  if ((header.control & tcp::ACK) != 0) flow.next = header.ack;
  const unsigned flags = header.control & (tcp::SYN | tcp::FIN).bits();
  flow.theirs = header.seq + static_cast<std::uint32_t>(octets.size() - header.header_length()) +
                (flags != 0 ? 1 : 0);
}

// flow, control, seq - expected (2, signed), ack - expected (2, signed), window, urgent pointer,
// octets of options (then the options), octets of text.
void Run::segment() {
  const unsigned number = input_.octet() % 4u;
  Flow& flow = flows_[number];
  wire::TcpHeader header{};
  header.source_port =
      number == 0 ? kClientPeerPort : static_cast<std::uint16_t>(9000 + number - 1);
  header.destination_port = number == 0 && flow.our_port != 0 ? flow.our_port : kServerPort;
  header.control = input_.octet();
  header.seq = flow.next + static_cast<std::uint32_t>(static_cast<std::int16_t>(input_.half()));
  header.ack = flow.theirs + static_cast<std::uint32_t>(static_cast<std::int16_t>(input_.half()));
  header.window = static_cast<std::uint16_t>(input_.octet() * 257);
  header.urgent_pointer = input_.octet();
  Octets options = input_.octets(input_.octet() % 41u);
  options.resize((options.size() + 3) & ~std::size_t{3}, 0);
  header.data_offset = static_cast<std::uint8_t>((sizeof header + options.size()) / 4 << 4);
  header.checksum = 0;
  const std::size_t size = input_.octet() * std::size_t{5};
  Octets octets;
  append(octets, header);
  octets.insert(octets.end(), options.begin(), options.end());
  octets.resize(octets.size() + size, 'x');
  wire::Sum sum(wire::pseudo_header_sum(
      {kPeer, kUs, wire::kProtocolTcp, static_cast<std::uint32_t>(octets.size())}));
  sum.add(bytes_of(octets));
  octets[16] = static_cast<std::uint8_t>(sum.checksum() >> 8);
  octets[17] = static_cast<std::uint8_t>(sum.checksum());
  ip_packet(wire::kProtocolTcp, octets);
}

void Run::read(Socket* socket) {
  if (socket == nullptr) return;
  std::array<std::byte, 4096> room;
  const iovec vector{room.data(), room.size()};
  ReceiveMessage message{.vector = {&vector, 1}, .length = room.size(), .flags = 0};
  Inside inside(stack_);
  const Result<std::size_t> n = socket->receive(message, inside.now());
  CHECK(!n || *n <= room.size());
}

void Run::write(Socket* socket, std::size_t size) {
  if (socket == nullptr) return;
  std::array<std::byte, 4096> room{};
  const iovec vector{room.data(), std::min(size, room.size())};
  const Endpoint to{kPeer, 7000};
  const SendMessage message{.vector = {&vector, 1},
                            .length = vector.iov_len,
                            .flags = MSG_NOSIGNAL,
                            .to = socket->is_stream() ? nullptr : &to,
                            .control = {}};
  Inside inside(stack_);
  (void)socket->send(message, inside.now()).ok();
}

void Run::accept() {
  Socket** slot = empty_slot();
  if (slot == nullptr || sockets_[0] == nullptr) return;
  Inside inside(stack_);
  const Result<Socket*> accepted = sockets_[0]->accept(inside.now());
  if (accepted) *slot = *accepted;
}

void Run::connect() {
  Socket** slot = empty_slot();
  if (slot == nullptr) return;
  *slot = open(SOCK_STREAM);
  Inside inside(stack_);
  (void)(*slot)->connect({kPeer, kClientPeerPort}, inside.now()).ok();
}

void Run::step() {
  switch (input_.octet() % kOperations) {
    case kFrame:
      return transmit(packet_of(input_.octets(input_.half() % 2000u)));
    case kPacket: {
      const std::uint8_t protocol = input_.octet();
      return ip_packet(protocol, input_.octets(input_.octet()));
    }
    case kSegment:
      return segment();
    case kTime:
      clock_.advance_to(clock_.now() + Duration::ms(input_.half()));
      break;
    case kRead:
      read(chosen());
      break;
    case kWrite: {
      Socket* socket = chosen();
      write(socket, input_.octet() * std::size_t{16});
      break;
    }
    case kClose: {
      Socket*& socket = sockets_[input_.octet() % kSockets];
      if (socket != nullptr) std::exchange(socket, nullptr)->put();
      break;
    }
    case kAccept:
      accept();
      break;
    default:
      connect();
      break;
  }
  poll();
}

}  // namespace

std::vector<Octets> seeds() {
  const Octets ack{kSegment, 0, 0x10, 0, 0, 0, 0, 255, 0, 0, 0};
  const Octets text{kSegment, 1, 0x18, 0, 0, 0, 0, 255, 0, 0, 20};
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
  join({syn, {0}, established, {kAccept}, text, {kRead, 2}, fin, {kClose, 2, kTime, 255, 255}});
  join({syn, {0}, established, {kAccept, kWrite, 2, 255}, established, {kClose, 2}, fin});
  join({syn, {0}, established, {kAccept}, text, text, rst, {kRead, 2}});
  join({{kConnect},
        {kSegment, 0, 0x12, 0, 0, 0, 0, 255, 0, 4, 2, 4, 5, 0xb4, 0},
        ack,
        {kWrite, 2, 200},
        {kTime, 1, 0},
        ack,
        {kClose, 2}});
  join({{kPacket, 17, 11, 0x9c, 0x40, 0, 53, 0, 11, 0, 0, 1, 2, 3}, {kRead, 1, kWrite, 1, 9}});
  join({{kPacket, 1, 12, 8, 0, 0xf7, 0xfd, 0, 1, 0, 1, 0, 0, 0, 0}, {kTime, 0, 50}});
  return made;
}

}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pollux;  // NOLINT: the entry point has a C name
  static const bool is_ready = [] {
    fuzz::packet_pool();
    EventPoll::configure({.threads = ThreadMode::shared, .max_sets = 4, .max_user_watches = 64});
    configure_sockets(256);
    return true;
  }();
  CHECK(is_ready);
  const fuzz::PoolWatch watch;
  fuzz::Input input(data, size);
  fuzz::Run run(input);
  run.prepare();
  for (int steps = 0; steps < 200 && !input.is_empty(); ++steps) run.step();
  return 0;
}
