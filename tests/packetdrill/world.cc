// world.cc - turning time, and who may run meanwhile.
#include "tests/packetdrill/world.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "drivers/dpdk/eal.h"
#include "stack/api/config.h"
#include "stack/core/inside.h"

namespace pollux::packetdrill {
namespace {

constexpr std::uint32_t kPackets = 1023, kDevicePackets = 255;
constexpr std::uint16_t kDataRoom = 9216;
constexpr Duration kLook = Duration::us(1);
constexpr Duration kStartUp = Duration::seconds(30);  // the stack has announced its address by then
constexpr int kRounds = 10'000;  // of polls at one instant, after which it will never be quiet

// Of the calling thread: it was let go by another, which waits for it; when its last call ended.
thread_local bool was_let_go = false;
thread_local std::optional<Instant> left_at;

// The tool closes what is left by libc's close, so numbers are the kernel's.
int take_number() { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
void give_number_back(int number) { ::close(number); }

struct Flags {
  std::vector<std::string> settings;
  std::uint16_t mtu = 1500;
  IpAddress address = IpAddress::v4(198, 18, 0, 2);
  IpAddress gateway = IpAddress::v4(198, 18, 0, 1);
};

bool parse_flag(const std::string& flag, Flags& flags) {
  const std::size_t equals = flag.find('=');
  if (equals == std::string::npos) return false;
  const std::string key = flag.substr(0, equals), value = flag.substr(equals + 1);
  if (key == "mtu") {
    flags.mtu = static_cast<std::uint16_t>(std::atoi(value.c_str()));
    return flags.mtu >= 68;
  }
  if (key == "address" || key == "gateway") {
    const std::optional<IpAddress> address = IpAddress::parse(value);
    if (address) (key == "address" ? flags.address : flags.gateway) = *address;
    return address.has_value();
  }
  flags.settings.push_back(key.find('.') == std::string::npos ? "tcp." + flag : flag);
  return true;
}

std::string parse_flags(const std::string& text, Flags& flags) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string flag = text.substr(at, comma - at);
    if (!parse_flag(flag, flags)) return "flag not understood: " + flag;
    at = comma + 1;
  }
  return {};
}

// Small tables: a World is made for every script.
std::string read_settings(const Flags& flags, Config& config) {
  config.packets = kPackets;
  config.descriptors = 4096;
  config.sockets = config.connections = 1024;
  config.listeners = 64;
  config.time_waits = 256;
  config.epoll_sets = 64;
  config.epoll_watches = config.kernel_files = 1024;
  config.hugepages = false;
  config.busy_poll.busy_poll_usecs = 0;  // no time would pass in a spin
  config.busy_read = 0;
  std::vector<const char*> settings;
  for (const std::string& setting : flags.settings) settings.push_back(setting.c_str());
  settings.push_back(nullptr);
  ConfigError error = read_config("", settings.data(), config);
  config.numbers = {take_number, give_number_back};
  return error.message;
}

// A process can start DPDK's environment once, and its memory is shared with forked children.
DriverError start_eal_once() {
  static DriverError error = start_eal({.use_hugepages = false, .memory_mb = 16});
  return error;
}

}  // namespace

World::Visit::Visit(World& world) : world_(world) { world.mutex_.lock(); }

World::Visit::~Visit() {
  left_at = world_.clock_.now();
  if (was_let_go) {
    was_let_go = false;
    --world_.running_;
    world_.changed_.notify_all();
  } else {
    world_.let_sleepers_go();
  }
  world_.mutex_.unlock();
}

std::unique_ptr<World> World::open(const std::string& text, std::string& error) {
  Flags flags;
  error = parse_flags(text, flags);
  Config config;
  if (error.empty()) error = read_settings(flags, config);
  if (!error.empty()) return nullptr;
  if (const DriverError no_eal = start_eal_once()) return error = no_eal.message, nullptr;
  Result<PacketPool> pool = PacketPool::create("script", kDevicePackets, kDataRoom);
  if (!pool) return error = "no memory for the device's packets", nullptr;
  PortConfig port;
  port.name = "script";
  port.addresses = {{flags.address, 24}};
  port.gateway = flags.gateway;
  std::unique_ptr<World> world(new World(config, std::move(*pool), flags.mtu));
  if (const DriverError failed = world->start(config, port)) return error = failed.message, nullptr;
  return world;
}

World::World(const Config&, PacketPool pool, std::uint16_t mtu)
    : device_pool_(std::move(pool)), device_(device_pool_, clock_, mtu) {}

DriverError World::start(const Config& config, const PortConfig& port) {
  DriverError error;
  host_ = Host::simulate(config, {clock_, *this, {{device_, port}}}, error);
  if (error) return error;
  set_host(host_.get());
  stack_ = &host_->stacks()[0];
  pass(kStartUp);
  device_.sent.clear();
  return {};
}

World::~World() {
  is_ending_ = true;
  set_host(nullptr);
  host_.reset();
  device_.sent.clear();
  CHECK(device_pool_.is_full());
}

void World::send(ConstBytes ip_packet) {
  const Visit visit(*this);
  device_.arrive(ip_packet);
  poll_until_quiet();
}

bool World::receive(IpDevice::Sent& out) {
  const Visit visit(*this);
  advance_to(Instant::never(), true);
  if (device_.sent.empty()) return false;
  out = std::move(device_.sent.front());
  device_.sent.pop_front();
  return true;
}

void World::pass(Duration time) {
  const Visit visit(*this);
  advance_to(clock_.now() + time, false);
}

Instant World::look_at_clock() {
  if (left_at) {
    const Instant then = *left_at;
    left_at.reset();
    return then;
  }
  std::lock_guard lock(mutex_);
  advance_to(clock_.now() + kLook, false);
  return clock_.now();
}

unsigned World::asleep() {
  std::lock_guard lock(mutex_);
  return static_cast<unsigned>(asleep_.size());
}

std::size_t World::pending() {
  std::lock_guard lock(mutex_);
  return device_.sent.size();
}

Instant World::poll(NapiSet, unsigned budget) {
  const Entered entered(stack().entry());
  const LcoreScope lcore(stack().index());
  const Instant now = stack().read_clock();
  stack().poll(budget, now);
  return now;
}

SleepEnd World::sleep(Sleeper& sleeper, const SleepRequest& request) {
  Asleep self{&sleeper, request.deadline};
  if (!is_due(self) && !is_ending_) {
    asleep_.push_back(&self);
    if (was_let_go) --running_;
    was_let_go = false;
    changed_.notify_all();
    changed_.wait(mutex_, [&] { return self.may_go; });
    was_let_go = true;
  }
  return sleeper.is_woken() ? SleepEnd::woken : SleepEnd::timed_out;
}

bool World::is_due(const Asleep& one) {
  return one.sleeper->is_woken() || one.deadline <= clock_.now();
}

// By the thread that moves the clock, or leaves. Those it lets go may wake others.
void World::let_sleepers_go() {
  for (;;) {
    const auto due = std::find_if(asleep_.begin(), asleep_.end(),
                                  [&](const Asleep* one) { return is_due(*one); });
    if (due == asleep_.end()) return;
    (*due)->may_go = true;
    asleep_.erase(due);
    ++running_;
    changed_.notify_all();
    changed_.wait(mutex_, [&] { return running_ == 0; });
  }
}

void World::poll_until_quiet() {
  for (int round = 0; round < kRounds; ++round) {
    poll(1, kFirstPollBudget);
    let_sleepers_go();
    if (device_.has_arriving()) continue;
    const Entered entered(stack().entry());
    if (stack().next_timeout() > clock_.now()) return;
  }
  CHECK(false);  // the stack never comes to rest at one instant
}

Instant World::next_event() {
  Instant next = Instant::never();
  for (const Asleep* one : asleep_) next = earlier(next, one->deadline);
  const Entered entered(stack().entry());
  return earlier(next, stack().next_timeout());
}

void World::advance_to(Instant end, bool until_sent) {
  poll_until_quiet();
  while (!until_sent || device_.sent.empty()) {
    const Instant next = next_event();
    if (next > end || next.is_never()) break;
    clock_.advance_to(std::max(next, clock_.now()));
    poll_until_quiet();
  }
  if (!end.is_never() && !until_sent) clock_.advance_to(end);
}

}  // namespace pollux::packetdrill
