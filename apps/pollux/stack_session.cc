// stack_session.cc - StackSession: starts Pollux for a command unless the kernel is asked for.

#include <arpa/inet.h>

#include "apps/pollux/commands.h"

namespace pollux::tool {

namespace {

// config/tap.toml, which may be far away; what --set says comes after it.
const std::vector<std::string> kTap = {
    "port.tap0.device=net_tap0,iface=plx0", "port.tap0.addresses=[\"198.18.0.2/24\"]",
    "port.tap0.gateway=198.18.0.1", "port.tap0.kernel_address=198.18.0.1/24"};

}  // namespace

StackArguments::StackArguments(const StackOptions& options) {
  if (options.tap) texts_ = kTap;
  if (options.tap || !options.config.empty()) config_ = options.config;
  texts_.insert(texts_.end(), options.settings.begin(), options.settings.end());
  for (const std::string& text : texts_) pointers_.push_back(text.c_str());
  pointers_.push_back(nullptr);
}

StackSession::StackSession(const StackOptions& options) : kernel_(options.kernel) {
  if (kernel_) return;
  const StackArguments arguments(options);
  if (plx_init(arguments.config(), arguments.settings()) == 0) return;
  error_ = plx_error();
  if (error_.empty()) error_ = "the stack did not start";
  error_ += "\n`pollux doctor` with the same options says what this machine needs";
}

StackSession::~StackSession() {
  if (!kernel_) plx_exit();
}

bool parse_address(const std::string& host, int port, sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1;
}

}  // namespace pollux::tool
