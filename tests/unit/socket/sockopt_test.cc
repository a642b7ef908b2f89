// sockopt_test.cc - the table of options: defaults, ranges, lengths, errnos, against Linux's.
#include "stack/socket/sockopt.h"

#include <linux/tcp.h>
#include <unistd.h>

#include "tests/support/socket_world.h"

namespace pollux {
namespace {

using testing_support::Held;
using testing_support::Pair;

struct Row {
  int level, name;
  int value;     // to set
  int error;     // of setting
  int expected;  // of getting afterwards; negative: minus the errno
};

class Sockopt : public testing_support::SocketWorld {
 protected:
  void check(Held& s, std::span<const Row> rows) {
    for (const Row& row : rows) {
      EXPECT_EQ(set(s, row.level, row.name, row.value), row.error)
          << "set " << row.level << ' ' << row.name << ' ' << row.value;
      EXPECT_EQ(get(s, row.level, row.name), row.expected)
          << "get " << row.level << ' ' << row.name << ' ' << row.value;
    }
  }
  int set_octets(Held& s, int level, int name, std::span<const std::byte> octets) {
    return call([&](Instant now) { return s->set_option(level, name, octets, now); });
  }
  // How much was filled, or minus the errno.
  int get_octets(Held& s, int level, int name, std::span<std::byte> room) {
    const auto n = in([&](Instant now) { return s->get_option(level, name, room, now); });
    return n.ok() ? static_cast<int>(*n) : -static_cast<int>(n.error());
  }
};

TEST_F(Sockopt, socket_level) {
  Held s = open();
  const Row rows[] = {
      {SOL_SOCKET, SO_REUSEADDR, 5, 0, 1},
      {SOL_SOCKET, SO_REUSEADDR, 0, 0, 0},
      {SOL_SOCKET, SO_REUSEPORT, 1, 0, 1},
      {SOL_SOCKET, SO_KEEPALIVE, -1, 0, 1},
      {SOL_SOCKET, SO_BROADCAST, 1, 0, 1},
      {SOL_SOCKET, SO_OOBINLINE, 1, 0, 1},
      {SOL_SOCKET, SO_TYPE, 1, ENOPROTOOPT, SOCK_STREAM},
      {SOL_SOCKET, SO_PROTOCOL, 1, ENOPROTOOPT, IPPROTO_TCP},
      {SOL_SOCKET, SO_DOMAIN, 1, ENOPROTOOPT, AF_INET},
      {SOL_SOCKET, SO_ERROR, 1, ENOPROTOOPT, 0},
      {SOL_SOCKET, SO_ACCEPTCONN, 1, ENOPROTOOPT, 0},
      {SOL_SOCKET, SO_SNDLOWAT, 1, ENOPROTOOPT, 1},  // 16.40
      {SOL_SOCKET, SO_RCVLOWAT, 0, 0, 1},
      {SOL_SOCKET, SO_RCVLOWAT, 100, 0, 100},
      {SOL_SOCKET, SO_SNDBUF, 10000, 0, 20000},
      {SOL_SOCKET, SO_SNDBUF, 1, 0, 4608},
      {SOL_SOCKET, SO_SNDBUF, -1, 0, 425984},
      {SOL_SOCKET, SO_RCVBUF, 10000, 0, 20000},
      {SOL_SOCKET, SO_RCVBUF, 0, 0, 2304},
      {SOL_SOCKET, SO_RCVBUF, INT_MAX, 0, 425984},
      {SOL_SOCKET, SO_PRIORITY, 6, 0, 6},
      {SOL_SOCKET, SO_BUSY_POLL, 50, 0, 50},
      {SOL_SOCKET, SO_BUSY_POLL, -1, EINVAL, 50},                   // 13.2
      {SOL_SOCKET, SO_BUSY_POLL_BUDGET, -1, EINVAL, -ENOPROTOOPT},  // 13.4
      {SOL_SOCKET, SO_BUSY_POLL_BUDGET, 0, 0, -ENOPROTOOPT},
      {SOL_SOCKET, SO_INCOMING_NAPI_ID, 1, ENOPROTOOPT, 0},  // 13.5: nothing received
      {SOL_SOCKET, 9999, 1, ENOPROTOOPT, -ENOPROTOOPT},
      {SOL_SOCKET, SO_ZEROCOPY, 1, ENOPROTOOPT, -ENOPROTOOPT},
  };
  check(s, rows);
}

TEST_F(Sockopt, 16_40_low_water_mark_is_at_most_half_of_the_buffer) {
  Held s = open();
  const Row rows[] = {
      {SOL_SOCKET, SO_RCVLOWAT, -1, 0, 3 << 20},
      {SOL_SOCKET, SO_RCVBUF, 10000, 0, 20000},
      {SOL_SOCKET, SO_RCVLOWAT, 1 << 20, 0, 10000},
  };
  check(s, rows);
}

TEST_F(Sockopt, low_water_mark_of_datagrams_only_reads_back) {
  Held s = open(SOCK_DGRAM);
  const Row rows[] = {
      {SOL_SOCKET, SO_RCVLOWAT, 5, 0, 5},
      {SOL_SOCKET, SO_RCVLOWAT, 0, 0, 1},
      {SOL_SOCKET, SO_RCVLOWAT, -1, 0, INT_MAX},
  };
  check(s, rows);
}

TEST_F(Sockopt, privileged_options) {
  Held s = open();
  const int refused = is_privileged() ? 0 : EPERM;
  EXPECT_EQ(set(s, SOL_SOCKET, SO_PRIORITY, 7), refused);
  EXPECT_EQ(set(s, SOL_SOCKET, SO_PREFER_BUSY_POLL, 0), 0);
  EXPECT_EQ(set(s, SOL_SOCKET, SO_PREFER_BUSY_POLL, 7), refused);
  EXPECT_EQ(get(s, SOL_SOCKET, SO_PREFER_BUSY_POLL), refused == 0 ? 1 : 0);  // 13.1
  EXPECT_EQ(set(s, SOL_SOCKET, SO_BUSY_POLL_BUDGET, 4), refused);            // 13.4
  EXPECT_EQ(set(s, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20), refused);
  EXPECT_EQ(set(s, SOL_SOCKET, SO_MARK, 1), EPERM);
  EXPECT_EQ(set(s, IPPROTO_IP, IP_TRANSPARENT, 1), EPERM);
}

TEST_F(Sockopt, tcp_level) {
  Held s = open();
  const Row rows[] = {
      {IPPROTO_TCP, TCP_NODELAY, 9, 0, 1},
      {IPPROTO_TCP, TCP_CORK, 1, 0, 1},
      {IPPROTO_TCP, TCP_MAXSEG, 87, EINVAL, 536},  // RFC 9293 3.7.1 (MUST-15)
      {IPPROTO_TCP, TCP_MAXSEG, 32768, EINVAL, 536},
      {IPPROTO_TCP, TCP_MAXSEG, 1000, 0, 1000},
      {IPPROTO_TCP, TCP_KEEPIDLE, 0, EINVAL, 7200},
      {IPPROTO_TCP, TCP_KEEPIDLE, 32768, EINVAL, 7200},
      {IPPROTO_TCP, TCP_KEEPIDLE, 32767, 0, 32767},
      {IPPROTO_TCP, TCP_KEEPINTVL, 0, EINVAL, 75},
      {IPPROTO_TCP, TCP_KEEPINTVL, 10, 0, 10},
      {IPPROTO_TCP, TCP_KEEPCNT, 128, EINVAL, 9},
      {IPPROTO_TCP, TCP_KEEPCNT, 127, 0, 127},
      {IPPROTO_TCP, TCP_SYNCNT, 0, EINVAL, 7},
      {IPPROTO_TCP, TCP_SYNCNT, 3, 0, 3},
      {IPPROTO_TCP, TCP_LINGER2, -5, 0, -1},
      {IPPROTO_TCP, TCP_LINGER2, 10, 0, 10},
      {IPPROTO_TCP, TCP_LINGER2, 70000, 0, 120},
      {IPPROTO_TCP, TCP_LINGER2, 0, 0, 60},
      {IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 0, 7},
      {IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 0, 1},
      {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 0, 0},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, -1, EINVAL, 0},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, 500, 0, 500},
      {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096, 0, 4096},
      {IPPROTO_TCP, TCP_WINDOW_CLAMP, 1, 0, 1152},
      {IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 0, 0},
      {IPPROTO_TCP, TCP_FASTOPEN, -1, EINVAL, 0},
      {IPPROTO_TCP, TCP_FASTOPEN, 1 << 20, 0, 4096},
      {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2, EINVAL, 0},
      {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, 0, 1},
      {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, -1, EINVAL, 0},
      {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1, 0, 1},
      {IPPROTO_TCP, TCP_MD5SIG, 1, ENOPROTOOPT, -ENOPROTOOPT},
      {IPPROTO_TCP, 9999, 1, ENOPROTOOPT, -ENOPROTOOPT},
  };
  check(s, rows);
}

// Linux: tcp_fastopen_reset_cipher(). A listener keeps them, and what it was before.
TEST_F(Sockopt, fast_open_keys_are_one_or_two) {
  Held s = open();
  std::array<std::byte, 40> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::byte>(i);
  const auto set_key = [&](std::size_t size) {
    return call([&](Instant now) {
      return s->set_option(IPPROTO_TCP, TCP_FASTOPEN_KEY, std::span(octets).first(size), now);
    });
  };
  const auto key_size = [&] {
    std::array<std::byte, 40> room{};
    const auto n =
        in([&](Instant now) { return s->get_option(IPPROTO_TCP, TCP_FASTOPEN_KEY, room, now); });
    EXPECT_TRUE(n.ok());
    EXPECT_TRUE(*n == 16 || std::equal(room.begin(), room.begin() + *n, octets.begin()));
    return *n;
  };
  EXPECT_EQ(key_size(), 16u);  // the process's own
  for (const std::size_t size : {0u, 15u, 17u, 33u, 40u}) EXPECT_EQ(set_key(size), EINVAL) << size;
  EXPECT_EQ(set_key(32), 0);
  EXPECT_EQ(key_size(), 32u);
  EXPECT_EQ(set(s, IPPROTO_TCP, TCP_FASTOPEN, 7), 0);
  EXPECT_EQ(listen(s), 0);
  EXPECT_EQ(key_size(), 32u);
  EXPECT_EQ(get(s, IPPROTO_TCP, TCP_FASTOPEN), 7);
  EXPECT_EQ(shutdown(s, SHUT_RD), 0);
  EXPECT_EQ(key_size(), 32u);
  EXPECT_EQ(get(s, IPPROTO_TCP, TCP_FASTOPEN), 7);
}

TEST_F(Sockopt, fast_open_is_for_the_unconnected) {
  Pair pair = connected();
  for (const int name : {TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE}) {
    EXPECT_EQ(set(pair.client, IPPROTO_TCP, name, 1), EINVAL);
    EXPECT_EQ(get(pair.client, IPPROTO_TCP, name), 0);
  }
  const std::array<std::byte, 16> key{};
  EXPECT_EQ(call([&](Instant now) {
              return pair.client->set_option(IPPROTO_TCP, TCP_FASTOPEN_KEY, key, now);
            }),
            0);  // of no use, as in Linux
  Held listener = listening();
  EXPECT_EQ(set(listener, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), EINVAL);
  EXPECT_EQ(set(listener, IPPROTO_TCP, TCP_FASTOPEN, 3), 0);
  EXPECT_EQ(get(listener, IPPROTO_TCP, TCP_FASTOPEN), 3);
}

TEST_F(Sockopt, options_set_before_are_the_connections) {
  Held listener = listening();
  Held client = open();
  EXPECT_EQ(set(client, IPPROTO_TCP, TCP_KEEPIDLE, 44), 0);
  EXPECT_EQ(set(client, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  EXPECT_EQ(connect(client, local(listener)), EINPROGRESS);
  EXPECT_EQ(get(client, IPPROTO_TCP, TCP_KEEPIDLE), 44);
  EXPECT_EQ(set(client, IPPROTO_TCP, TCP_KEEPIDLE, 45), 0);
  EXPECT_EQ(disconnect(client), 0);
  EXPECT_EQ(get(client, IPPROTO_TCP, TCP_KEEPIDLE), 45);
  EXPECT_EQ(get(client, IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST_F(Sockopt, 16_29_a_connection_knows_of_ip_recverr) {
  Pair pair = connected();
  for (const bool is_wanted : {true, false}) {
    EXPECT_EQ(set(pair.client, IPPROTO_IP, IP_RECVERR, is_wanted), 0);
    EXPECT_EQ(get(pair.client, IPPROTO_IP, IP_RECVERR), is_wanted);
    EXPECT_EQ(pair.client->user_options()->receive_error, is_wanted);
  }
}

TEST_F(Sockopt, ip_level) {
  Held stream = open();
  const Row rows[] = {
      {IPPROTO_IP, IP_TOS, 0x13, 0, 0x10},  // ECN is TCP's own business
      {IPPROTO_IP, IP_TTL, 0, EINVAL, 64},
      {IPPROTO_IP, IP_TTL, 256, EINVAL, 64},
      {IPPROTO_IP, IP_TTL, 5, 0, 5},
      {IPPROTO_IP, IP_TTL, -1, 0, 64},
      {IPPROTO_IP, IP_RECVERR, 1, 0, 1},
      {IPPROTO_IP, IP_MTU_DISCOVER, 6, EINVAL, 1},
      {IPPROTO_IP, IP_MTU_DISCOVER, 2, 0, 2},
      {IPPROTO_IP, IP_MTU, 1500, ENOPROTOOPT, -ENOTCONN},
      {IPPROTO_IP, IP_FREEBIND, 1, 0, 1},
      {IPPROTO_IP, IP_MULTICAST_TTL, 2, EINVAL, 1},  // of a stream
      {IPPROTO_IP, IP_ADD_MEMBERSHIP, 1, ENOPROTOOPT, -ENOPROTOOPT},
      {IPPROTO_IPV6, IPV6_V6ONLY, 1, ENOPROTOOPT, -EOPNOTSUPP},
      {12345, 1, 1, ENOPROTOOPT, -EOPNOTSUPP},
  };
  check(stream, rows);
  Held datagram = open(SOCK_DGRAM);
  const Row of_datagrams[] = {
      {IPPROTO_IP, IP_TOS, 0x13, 0, 0x13},
      {IPPROTO_IP, IP_MULTICAST_TTL, 2, 0, 2},
      {IPPROTO_IP, IP_MULTICAST_TTL, -1, 0, 1},
      {IPPROTO_IP, IP_MULTICAST_TTL, 256, EINVAL, 1},
      {IPPROTO_TCP, TCP_NODELAY, 1, ENOPROTOOPT, -EOPNOTSUPP},
  };
  check(datagram, of_datagrams);
}

TEST_F(Sockopt, lengths) {
  Held s = open();
  const std::byte octets[4] = {std::byte{7}};
  std::byte room[4] = {};
  EXPECT_EQ(set_octets(s, SOL_SOCKET, SO_KEEPALIVE, std::span(octets, 3)), EINVAL);
  EXPECT_EQ(set_octets(s, SOL_SOCKET, 9999, std::span(octets, 3)), EINVAL);
  EXPECT_EQ(set_octets(s, IPPROTO_TCP, TCP_NODELAY, std::span(octets, 3)), EINVAL);
  EXPECT_EQ(set_octets(s, IPPROTO_TCP, 9999, std::span(octets, 0)), EINVAL);
  EXPECT_EQ(set_octets(s, IPPROTO_IP, IP_TTL, std::span(octets, 1)), 0);
  EXPECT_EQ(get(s, IPPROTO_IP, IP_TTL), 7);
  EXPECT_EQ(set_octets(s, IPPROTO_IP, IP_TTL, std::span(octets, 0)), EINVAL);  // 0 is no TTL
  EXPECT_EQ(set_octets(s, IPPROTO_IP, IP_RECVERR, std::span(octets, 0)), 0);
  EXPECT_EQ(set_octets(s, IPPROTO_IP, IP_FREEBIND, std::span(octets, 0)), EINVAL);
  EXPECT_EQ(get_octets(s, IPPROTO_IP, IP_TTL, std::span(room, 1)), 1);
  EXPECT_EQ(room[0], std::byte{7});
  EXPECT_EQ(get_octets(s, SOL_SOCKET, SO_TYPE, std::span(room, 2)), 2);
  EXPECT_EQ(get_octets(s, SOL_SOCKET, SO_TYPE, std::span(room, 0)), 0);
  EXPECT_EQ(set_octets(s, SOL_SOCKET, SO_LINGER, std::span(octets, 4)), EINVAL);
}

TEST_F(Sockopt, structures) {
  Held s = open();
  EXPECT_EQ(linger(s, 1, 5), 0);
  ::linger value{};
  EXPECT_EQ(get_octets(s, SOL_SOCKET, SO_LINGER, std::as_writable_bytes(std::span(&value, 1))), 8);
  EXPECT_EQ(value.l_onoff, 1);
  EXPECT_EQ(value.l_linger, 5);
  const auto set_time = [&](int name, ::timeval time) {
    return set_octets(s, SOL_SOCKET, name, std::as_bytes(std::span(&time, 1)));
  };
  EXPECT_EQ(set_time(SO_RCVTIMEO, {2, 500000}), 0);
  EXPECT_EQ(s->receive_timeout(), Duration::ms(2500));
  EXPECT_EQ(set_time(SO_SNDTIMEO, {0, 1000000}), EDOM);
  EXPECT_EQ(set_time(SO_SNDTIMEO, {0, -1}), EDOM);
  EXPECT_EQ(set_time(SO_SNDTIMEO, {-1, 0}), 0);
  EXPECT_GT(s->send_timeout(), Duration());
  EXPECT_LT(s->send_timeout(), Duration::us(1));
  EXPECT_EQ(set_time(SO_SNDTIMEO, {INT64_MAX, 0}), 0);
  EXPECT_EQ(s->send_timeout(), Duration());
  ::timeval time{};
  EXPECT_EQ(get_octets(s, SOL_SOCKET, SO_RCVTIMEO, std::as_writable_bytes(std::span(&time, 1))),
            16);
  EXPECT_EQ(time.tv_sec, 2);
  EXPECT_EQ(time.tv_usec, 500000);
}

TEST_F(Sockopt, congestion_control_by_name) {
  Held s = open();
  std::array<char, 16> name{};
  EXPECT_EQ(get_octets(s, IPPROTO_TCP, TCP_CONGESTION, std::as_writable_bytes(std::span(name))),
            16);
  EXPECT_STREQ(name.data(), "reno");
  const std::string_view cubic = "cubic";
  const std::string_view reno = "reno";
  EXPECT_EQ(set_octets(s, IPPROTO_TCP, TCP_CONGESTION, std::as_bytes(std::span(cubic))), ENOENT);
  EXPECT_EQ(set_octets(s, IPPROTO_TCP, TCP_CONGESTION, std::as_bytes(std::span(reno))), 0);
  EXPECT_EQ(set_octets(s, IPPROTO_TCP, TCP_CONGESTION, {}), EINVAL);
}

TEST_F(Sockopt, tcp_info_knows_the_state) {
  const auto state = [&](Held& s) {
    ::tcp_info info{};
    EXPECT_GT(get_octets(s, IPPROTO_TCP, TCP_INFO, std::as_writable_bytes(std::span(&info, 1))), 0);
    return int{info.tcpi_state};
  };
  Held fresh = open();
  EXPECT_EQ(state(fresh), 7);
  Held listener = listening();
  EXPECT_EQ(state(listener), 10);
  Pair pair = connected();
  EXPECT_EQ(state(pair.client), 1);
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(state(pair.client), 5);
  EXPECT_EQ(state(pair.server), 8);
}

TEST_F(Sockopt, every_name_is_in_one_row) {
  for (const auto rows :
       {socket_level_options(), tcp_level_options(), ip_level_options(), ipv6_level_options()}) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].level, rows[0].level);
      for (std::size_t j = 0; j < i; ++j) EXPECT_NE(rows[i].name, rows[j].name);
    }
  }
}

}  // namespace
}  // namespace pollux
