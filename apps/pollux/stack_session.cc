// stack_session.cc - StackSession: starts Pollux for a command unless the kernel is asked for.

#include <arpa/inet.h>

#include "apps/pollux/commands.h"

namespace pollux::tool {

StackSession::StackSession(const StackOptions& options) : kernel_(options.kernel) {
  if (kernel_) return;
  std::vector<const char*> settings;
  for (const std::string& setting : options.settings) settings.push_back(setting.c_str());
  settings.push_back(nullptr);
  const char* config = options.config.empty() ? nullptr : options.config.c_str();
  if (plx_init(config, settings.data()) == 0) return;
  error_ = plx_error();
  if (error_.empty()) error_ = "the stack did not start";
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
