// ownership.cc - the default rule: loopback is the kernel's, the ports' networks are the stack's.
#include "stack/api/ownership.h"

#include <fmt/format.h>

namespace pollux {
namespace {

class Rules {
 public:
  void add(const char* which, const std::string& network, bool is_stacks) {
    text_ += fmt::format("{} {} {};", which, network, is_stacks ? "stack" : "kernel");
  }
  void add_both(const std::string& network, bool is_stacks) {
    add("at", network, is_stacks);
    add("to", network, is_stacks);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_port(const PortConfig& port, Rules& rules) {
  for (const Prefix& own : port.addresses) {
    rules.add("at", own.address.to_string() + "/32", true);
    rules.add("to", fmt::format("{}/{}", own.address.to_string(), own.length), true);
  }
}

}  // namespace

std::string ownership_rules(const Config& config) {
  const bool has_loopback = config.loopback_is_stacks.value_or(config.ports.empty());
  Rules rules;
  rules.add_both("127.0.0.0/8", has_loopback);
  // bind: any address of this host, where a socket of IPv6 takes connections of IPv4 too; connect:
  // this host. Other addresses of IPv6 are the kernel's, ::1 too.
  rules.add("at", "0.0.0.0/32", true);
  rules.add("at", "::/128", true);
  rules.add("to", "0.0.0.0/32", has_loopback);
  bool has_default_route = false;
  for (const PortConfig& port : config.ports) {
    add_port(port, rules);
    has_default_route |= port.gateway.has_value();
  }
  const bool has_all = config.ports.empty() && has_loopback;
  if (has_all || has_default_route) rules.add("to", "0.0.0.0/0", true);
  if (has_all) rules.add("at", "0.0.0.0/0", true);
  return rules.take();
}

}  // namespace pollux
