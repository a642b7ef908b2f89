// quick_acks.cc - one message of rtnetlink(7).
#include "tests/twin/random/quick_acks.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pollux::twin {
namespace {

struct Number {
  rtattr head;
  uint32_t value;
};

// What the route of 127.0.0.1 is in every namespace, and RTAX_QUICKACK.
struct Request {
  nlmsghdr head{};
  rtmsg route{};
  Number destination{{sizeof(Number), RTA_DST}, htonl(INADDR_LOOPBACK)};
  Number device{{sizeof(Number), RTA_OIF}, if_nametoindex("lo")};
  Number source{{sizeof(Number), RTA_PREFSRC}, htonl(INADDR_LOOPBACK)};
  rtattr metrics{sizeof(rtattr) + sizeof(Number), RTA_METRICS};
  Number quick_ack{{sizeof(Number), RTAX_QUICKACK}, 1};
};

struct Reply {
  nlmsghdr head;
  nlmsgerr error;
  char rest[512];
};

}  // namespace

bool acknowledge_at_once() {
  Request request;
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = RTM_NEWROUTE;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  request.route.rtm_family = AF_INET;
  request.route.rtm_dst_len = 32;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_KERNEL;
  request.route.rtm_scope = RT_SCOPE_HOST;
  request.route.rtm_type = RTN_LOCAL;
  const int fd = ::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  Reply reply{};
  const bool is_answered = ::send(fd, &request, sizeof request, 0) == sizeof request &&
                           ::recv(fd, &reply, sizeof reply, 0) > 0;
  ::close(fd);
  if (is_answered && reply.error.error == 0) return true;
  fprintf(stderr, "twin-random: quickack on 127.0.0.1: %s\n", strerror(-reply.error.error));
  return false;
}

}  // namespace pollux::twin
