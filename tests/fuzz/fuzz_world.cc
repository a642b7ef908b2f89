// fuzz_world.cc - the world that inputs share: how it is made, brought back, and watched.
#include "tests/fuzz/fuzz_world.h"

#include <netinet/in.h>

#include "epoll/eventpoll.h"
#include "stack/link/ethernet.h"
#include "tests/fuzz/fuzz_stack.h"

namespace pollux::fuzz {
namespace {

// Longer than TIME-WAIT, reassembly, an orphan's FIN-WAIT-2 and a pause of ICMP's.
constexpr Duration kLonger = Duration::seconds(150);

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

Octets arp_request() {
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

}  // namespace

World::World() : config_(config()), stack_(config_, {packet_pool(), ports_, clock_}, 1, {}) {
  PortConfig port;
  port.name = "fuzz";
  port.addresses = {{kUs, 24}};
  stack_.add_interface(wire_.a(), port);
  packets_ = packet_pool().available();
}

World::~World() {
  for (Socket*& socket : sockets_) {
    if (socket != nullptr) std::exchange(socket, nullptr)->put();
  }
}

Socket* World::open(int type) {
  Inside inside(stack_);
  const Result<Socket*> made = create_socket(stack_.world(), {AF_INET, type, 0});
  CHECK(made);
  return *made;
}

Socket* World::fresh(int type, std::uint16_t port) {
  Socket* socket = open(type);
  Inside inside(stack_);
  CHECK(socket->bind({type == SOCK_STREAM ? kUs : IpAddress::any_v4(), port}, inside.now()));
  if (type == SOCK_STREAM) {
    CHECK(socket->listen(4, inside.now()));
  }
  return socket;
}

bool World::is_untouched() const {
  return sockets_[0] != nullptr && stack_.connections() == 0 &&
         packet_pool().available() == packets_;
}

void World::begin() {
  for (Socket*& socket : sockets_) {
    if (socket != nullptr) std::exchange(socket, nullptr)->put();
  }
  {
    Inside inside(stack_);
    stack_.reset_all(inside.now());
  }
  poll();
  // A packet that waits for a neighbour waits for three answers; one poll asks once.
  for (int i = 0; i < 8 && (i == 0 || packet_pool().available() != packets_); ++i) {
    advance(kLonger);
    poll();
  }
  CHECK(stack_.connections() == 0);
  CHECK(packet_pool().available() == packets_);
  flows_ = {};
  last_packet_.clear();
  sockets_[0] = fresh(SOCK_STREAM, kServerPort);
  sockets_[1] = fresh(SOCK_DGRAM, kUdpPort);
  frame(arp_request(), ethernet::kTypeArp);
}

void World::frame(const Octets& payload, std::uint16_t type) {
  Packet packet = packet_of(payload);
  ethernet::prepend(packet, {wire_.b().caps().mac, wire_.a().caps().mac}, type, 0);
  transmit(std::move(packet));
}

void World::transmit(Packet packet) {
  wire_.b().tx_burst({&packet, 1});
  poll();
}

void World::ip_packet(std::uint8_t protocol, const Octets& payload) {
  Octets octets;
  append(octets, ip_header(protocol, payload.size()));
  octets.insert(octets.end(), payload.begin(), payload.end());
  frame(octets, ethernet::kTypeIpv4);
}

Socket** World::empty_slot() {
  for (std::size_t i = 2; i < kSockets; ++i) {
    if (sockets_[i] == nullptr) return &sockets_[i];
  }
  return nullptr;
}

void World::poll() {
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
void World::look(Packet packet) {
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
  if (header.protocol != wire::kProtocolIcmp) last_packet_ = octets;
}

void World::note(ConstBytes octets) {
  CHECK(octets.size() >= sizeof(wire::TcpHeader));
  const auto& header = *reinterpret_cast<const wire::TcpHeader*>(octets.data());
  CHECK(header.header_length() >= 20 && header.header_length() <= octets.size());
  const std::uint16_t peer_port = header.destination_port;
  Flow& flow = flows_[peer_port == kClientPeerPort ? 0 : peer_port % 3u + 1];
  flow.our_port = header.source_port;
  if ((header.control & tcp::ACK) != 0) flow.next = header.ack;
  const unsigned flags = header.control & (tcp::SYN | tcp::FIN).bits();
  flow.theirs = header.seq + static_cast<std::uint32_t>(octets.size() - header.header_length()) +
                (flags != 0 ? 1 : 0);
}

World& world() {
  static World* kept = nullptr;  // the last one outlives its pool: never destroyed
  static unsigned inputs = 0;
  if (!kept) {
    packet_pool();
    EventPoll::configure({.threads = ThreadMode::shared, .max_sets = 4, .max_user_watches = 64});
    configure_sockets(256);
  }
  if (inputs++ % World::kInputs == 0) {
    delete kept;
    kept = new World;
  }
  return *kept;
}

}  // namespace pollux::fuzz
