// control_message.cc - the layout of cmsg(3), never trusting a length.
#include "stack/socket/control_message.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace pollux {
namespace {

template <typename T>
Result<T> data_as(ConstBytes data) {
  T value;
  if (data.size() != sizeof value) return Errno::invalid;
  std::memcpy(&value, data.data(), sizeof value);
  return value;
}

Result<std::uint8_t> octet(ConstBytes data, int lowest) {
  if (data.size() == 1) return std::to_integer<std::uint8_t>(data.front());
  ASSIGN_OR_RETURN(const int value, data_as<int>(data));
  if (value < lowest || value > 255) return Errno::invalid;
  return static_cast<std::uint8_t>(value);
}

Result<void> parse_ip(int type, ConstBytes data, ControlRequest& request) {
  switch (type) {
    case IP_PKTINFO: {
      ASSIGN_OR_RETURN(const ::in_pktinfo info, data_as<::in_pktinfo>(data));
      const IpAddress source = IpAddress::v4(ntohl(info.ipi_spec_dst.s_addr));
      if (!source.is_unspecified()) request.source = source;
      return {};
    }
    case IP_TTL: {
      ASSIGN_OR_RETURN(const int ttl, data_as<int>(data));
      if (ttl < 1 || ttl > 255) return Errno::invalid;
      request.ttl = static_cast<std::uint8_t>(ttl);
      return {};
    }
    case IP_TOS: {
      ASSIGN_OR_RETURN(request.tos, octet(data, 0));
      return {};
    }
    default:
      return Errno::invalid;
  }
}

Result<void> parse_ipv6(int type, ConstBytes data, ControlRequest& request) {
  switch (type) {
    case IPV6_PKTINFO: {
      ASSIGN_OR_RETURN(const ::in6_pktinfo info, data_as<::in6_pktinfo>(data));
      if (!IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr)) return {};
      std::uint32_t bits;
      std::memcpy(&bits, &info.ipi6_addr.s6_addr[12], sizeof bits);
      request.source = IpAddress::v4(ntohl(bits));
      return {};
    }
    case IPV6_HOPLIMIT: {
      ASSIGN_OR_RETURN(const int limit, data_as<int>(data));
      if (limit < -1 || limit > 255) return Errno::invalid;
      if (limit >= 0) request.ttl = static_cast<std::uint8_t>(limit);
      return {};
    }
    case IPV6_TCLASS: {
      ASSIGN_OR_RETURN(const int value, data_as<int>(data));
      if (value < -1 || value > 255) return Errno::invalid;
      if (value >= 0) request.tos = static_cast<std::uint8_t>(value);
      return {};
    }
    default:
      return Errno::invalid;
  }
}

}  // namespace

void ControlWriter::put_octets(int level, int type, ConstBytes value) {
  const std::size_t length = CMSG_LEN(value.size());
  if (room_.size() - used_ < length) {
    message_.out_flags |= MSG_CTRUNC;
    room_ = room_.first(used_);
    return;
  }
  ::cmsghdr header{};
  header.cmsg_len = length;
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::memcpy(room_.data() + used_, &header, sizeof header);
  std::memcpy(room_.data() + used_ + CMSG_LEN(0), value.data(), value.size());
  used_ += std::min(CMSG_SPACE(value.size()), room_.size() - used_);
}

Result<ControlRequest> parse_control(ConstBytes control) {
  ControlRequest request;
  while (control.size() >= sizeof(::cmsghdr)) {
    ::cmsghdr header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > control.size()) return Errno::invalid;
    const ConstBytes data = control.subspan(CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0));
    if (header.cmsg_level == IPPROTO_IP) {
      RETURN_IF_ERROR(parse_ip(header.cmsg_type, data, request));
    } else if (header.cmsg_level == IPPROTO_IPV6) {
      RETURN_IF_ERROR(parse_ipv6(header.cmsg_type, data, request));
    } else if (header.cmsg_level == SOL_SOCKET) {
      return Errno::invalid;
    }
    control = control.subspan(std::min(CMSG_ALIGN(header.cmsg_len), control.size()));
  }
  return request;
}

}  // namespace pollux
