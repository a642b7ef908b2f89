// rules.cc - reads the rules once; the first that matches counts (pollux/numbers.h: plx_rules).
#include "apps/preload/rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "apps/preload/environment.h"

namespace pollux::preload {
namespace {

using Octets = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

struct Rule {
  Use use;
  Octets network;
  unsigned bits;
  bool is_stacks;
};

Octets mapped(const in_addr& v4) {
  Octets octets{};
  octets[10] = octets[11] = 0xff;
  std::memcpy(&octets[12], &v4, 4);
  return octets;
}

bool matches(const Rule& rule, const Octets& address) {
  for (unsigned bit = 0; bit < rule.bits; bit += 8) {
    const unsigned left = rule.bits - bit;
    const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xff : 0xff << (8 - left));
    if (((rule.network[bit / 8] ^ address[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

// "to 198.18.0.0/24 stack"
bool parse(const std::string& text, Rule& rule) {
  char use[4], network[INET6_ADDRSTRLEN + 1], owner[8];
  unsigned length = 0;
  if (std::sscanf(text.c_str(), "%3s %46[^/]/%u %7s", use, network, &length, owner) != 4)
    return false;
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, network, &v4) == 1) {
    rule.network = mapped(v4);
    length += 96;
  } else if (inet_pton(AF_INET6, network, &v6) == 1) {
    std::memcpy(rule.network.data(), &v6, 16);
  } else {
    return false;
  }
  rule.use = std::strcmp(use, "at") == 0 ? Use::at : Use::to;
  rule.bits = length <= 128 ? length : 128;
  rule.is_stacks = std::strcmp(owner, "stack") == 0;
  return true;
}

std::vector<Rule> read_rules() {
  std::vector<Rule> rules;
  const char* text = environment().rules.c_str();
  while (*text) {
    const char* const end = strchrnul(text, ';');
    Rule rule;
    if (parse(std::string(text, end), rule)) rules.push_back(rule);
    text = *end ? end + 1 : end;
  }
  return rules;
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule>& all =
      *std::make_unique<std::vector<Rule>>(read_rules()).release();
  return all;
}

bool read_address(const sockaddr* address, socklen_t length, Octets& octets) {
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    octets = mapped(in.sin_addr);
    return true;
  }
  constexpr std::size_t kLeast = offsetof(sockaddr_in6, sin6_scope_id);
  if (address->sa_family != AF_INET6 || length < kLeast) return false;
  const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
  std::memcpy(octets.data(), &in6->sin6_addr, 16);
  return true;
}

}  // namespace

bool has_rules() { return has_environment() && !rules().empty(); }

bool is_stacks(Use use, const sockaddr* address, socklen_t length) {
  Octets octets;
  if (!address || length < sizeof(sa_family_t) || !read_address(address, length, octets))
    return false;
  for (const Rule& rule : rules()) {
    if (rule.use == use && matches(rule, octets)) return rule.is_stacks;
  }
  return false;
}

}  // namespace pollux::preload
