// fuzz_link.cc - a run of frames to Ethernet and ARP; the neighbour table keeps its bounds.
#include "stack/link/arp.h"
#include "stack/link/ethernet.h"
#include "stack/link/neighbours.h"
#include "tests/fuzz/fuzz_packets.h"

namespace pollux::fuzz {

std::vector<Octets> seeds() {
  const Octets request{40, 2, 0, 0, 0, 0, 1, 2,   0,  0, 0, 2, 8, 6, 0, 1, 8, 0,   6,  4, 0,
                       1,  2, 0, 0, 0, 0, 2, 198, 18, 0, 2, 0, 0, 0, 0, 0, 0, 198, 18, 0, 1};
  Octets reply = request;
  reply[21] = 2;
  Octets gratuitous = reply;
  gratuitous[41] = 2;
  // 200 and above: an action between the frames.
  Octets run{201, 2};
  for (const Octets& part : {reply, request, gratuitous}) {
    run.insert(run.end(), part.begin(), part.end());
    run.insert(run.end(), {202, 200});
  }
  Octets tagged{18, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 2, 0x81, 0, 0, 0, 8, 6, 0};
  return {request, reply, gratuitous, run, tagged};
}

namespace {

constexpr MacAddress kOurs{2, 0, 0, 0, 0, 1};
constexpr std::uint32_t kEntries = 16;

class Run {
 public:
  explicit Run(Input& input) : input_(input), table_(kOurs, {kEntries, 2, 8}, rng_, now_) {
    table_.add_address({IpAddress::v4(198, 18, 0, 1), 24}, Claim::announce, now_);
  }
  void step() {
    const std::uint8_t op = input_.octet();
    if (op < 200) return frame(op);
    if (op == 200) pass(Duration::ms(input_.octet() * 50));
    const IpAddress peer = IpAddress::v4(198, 18, 0, input_.octet());
    Packet packet = packet_of({1, 2, 3});
    if (op == 201) table_.resolve(peer, packet, now_);
    if (op == 202) table_.confirm(peer, now_);
    if (op == 203) table_.doubt(peer, now_);
    if (op == 204) table_.flush();
    take();
  }

 private:
  void frame(std::size_t size) {
    Packet packet = packet_of(input_.octets(size), size % 3);
    const auto accepted = ethernet::accept(packet, kOurs, 0);
    if (!accepted || accepted->type != ethernet::kTypeArp) return;
    const Accepted<ArpMessage> message = arp::decode(packet);
    if (!message) return;
    const auto outcome = table_.input(*message, now_);
    if (outcome && outcome->reply) CHECK(arp::encode(packet_pool(), *outcome->reply));
    take();
  }
  void pass(Duration time) {
    now_ = now_ + time;
    table_.advance(now_);
  }
  void take() {
    ArpMessage request;
    while (table_.next_request(request)) CHECK(request.sender_mac == kOurs);
    Packet packet;
    MacAddress mac;
    while (table_.next_ready(packet, mac)) CHECK((mac[0] & 1) == 0 && mac != kOurs);
    IpAddress hop;
    while (table_.next_failed(packet, hop)) CHECK(packet);
    CHECK(table_.size() <= kEntries && table_.queued() <= 8);
  }

  Input& input_;
  Rng rng_{1};
  Instant now_ = Instant::from_ns(1'000'000'000);
  Neighbours table_;
};

}  // namespace
}  // namespace pollux::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pollux::fuzz;  // NOLINT: the entry point has a C name
  const PoolWatch watch;
  Input input(data, size);
  Run run(input);
  while (!input.is_empty()) run.step();
  return 0;
}
