// error_note_test.cc - notes by their owner, in their order, within their bound.
#include "stack/socket/error_note.h"

#include <gtest/gtest.h>
// netinet/in.h and ctime come before the kernel's headers, which build on them.
#include <netinet/in.h>

#include <ctime>

#include <linux/errqueue.h>

namespace pollux {
namespace {

ErrorNote error_note(std::uint16_t error) { return {.error = error}; }

TEST(StreamErrors, each_owner_has_its_own_in_order) {
  StreamErrors errors(4);
  const int one = 1, two = 2;
  EXPECT_TRUE(errors.push(&one, error_note(1)));
  EXPECT_TRUE(errors.push(&two, error_note(2)));
  EXPECT_TRUE(errors.push(&one, error_note(3)));
  EXPECT_EQ(errors.front(&one)->error, 1);
  EXPECT_EQ(errors.pop(&one)->error, 1);
  EXPECT_EQ(errors.pop(&one)->error, 3);
  EXPECT_FALSE(errors.pop(&one));
  EXPECT_EQ(errors.front(&one), nullptr);
  EXPECT_EQ(errors.front(&two)->error, 2);
}

TEST(StreamErrors, what_is_full_takes_no_more_until_somebody_is_forgotten) {
  StreamErrors errors(3);
  const int one = 1, two = 2;
  EXPECT_TRUE(errors.push(&one, error_note(1)));
  EXPECT_TRUE(errors.push(&two, error_note(2)));
  EXPECT_TRUE(errors.push(&one, error_note(3)));
  EXPECT_FALSE(errors.push(&two, error_note(4)));
  errors.forget(&one);
  EXPECT_EQ(errors.size(), 1u);
  EXPECT_TRUE(errors.push(&one, error_note(5)));
  EXPECT_EQ(errors.pop(&one)->error, 5);
}

// Linux: an error of this host's own names nobody.
TEST(ErrorNote, a_local_one_has_no_reporter) {
  alignas(::cmsghdr) std::byte control[128];
  for (const int family : {AF_INET, AF_INET6}) {
    ReceiveMessage message{{}, 0, MSG_ERRQUEUE, true, {}, false, 0, control};
    put_error(message, {.reporter = IpAddress::any_v4(), .info = 1400, .error = EMSGSIZE}, family);
    const auto& header = *reinterpret_cast<const ::cmsghdr*>(message.control.data());
    const auto* error = reinterpret_cast<const ::sock_extended_err*>(CMSG_DATA(&header));
    EXPECT_EQ(header.cmsg_level, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6);
    EXPECT_EQ(error->ee_origin, SO_EE_ORIGIN_LOCAL);
    EXPECT_EQ(error->ee_info, 1400u);
    EXPECT_EQ(SO_EE_OFFENDER(error)->sa_family, AF_UNSPEC);
  }
}

}  // namespace
}  // namespace pollux
