// listener_fast_open_test.cc - TCP Fast Open between two hosts, over real packets: who is accepted
// before the handshake ends, who is not, and what becomes of the request.
#include <gtest/gtest.h>

#include "stack/tcp/fast_open_server.h"
#include "tests/support/tcp_hosts.h"

namespace pollux::tcp {
namespace {

using testing_support::Frame;
using testing_support::TcpHost;
using testing_support::TcpHosts;
using testing_support::test_secret;

constexpr std::uint16_t kWebPort = 80;

class FastOpenTest : public TcpHosts {
 protected:
  void SetUp() override {
    TcpHosts::SetUp();
    make_server(kFastOpenServer);
  }
  void make_server(std::uint32_t bits, const HashKey* key = nullptr) {
    TcpConfig own = config;
    own.fastopen = bits;
    server = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 2), own);
    listener = server->listen(kWebPort, 4);
    listener->fast_open().max_requests = 3;
    if (key) listener->fast_open().keys = {.key = {*key}, .count = 1};
  }
  // A client's connection whose SYN has what it may have of `text`, and has left the client.
  Connection* open(std::string_view text, bool needs_no_cookie = false) {
    ActiveOpen open;
    open.tuple = {.local = {.address = client->address}, .remote = {server->address, kWebPort}};
    Result<Connection*> made = client->tcp.open_active(open, now);
    EXPECT_TRUE(made.ok());
    if ((*made)->defer_syn(needs_no_cookie, now)) {
      const auto sent = (*made)->send(std::as_bytes(std::span(text)), {}, now);
      EXPECT_TRUE(sent.ok() && *sent == text.size());
      (*made)->seal_syn();
    }
    client->flush(now, wire);
    return *made;
  }
  // As open(), as far as the server's child; its SYN,ACK is not delivered.
  Connection* open_to_server(std::string_view text) {
    Connection* made = open(text);
    deliver_all();
    return made;
  }
  void learn_cookie() {
    Connection* first = open("");
    settle();
    Connection* child = accepted(*listener);
    ASSERT_TRUE(child);
    close(*client, *first);
    close(*server, *child);
    settle();
  }
  const Counters& counted() const { return server->counters; }

  Listener* listener = nullptr;
};

TEST_F(FastOpenTest, a_request_is_answered_with_a_cookie_and_the_next_syn_is_accepted_at_once) {
  Connection* first = open("");
  settle();
  EXPECT_EQ(counted().tcp_fast_open_cookies_requested, 1u);
  Connection* ordinary = accepted(*listener);
  EXPECT_EQ(listener->fast_open_requests(), 0u);

  Connection* second = open_to_server("request");
  EXPECT_EQ(counted().tcp_fast_open_passive, 1u);
  EXPECT_TRUE(listener->is_acceptable());  // 16.73
  EXPECT_TRUE(listener->take_readable());
  Connection* child = accepted(*listener);
  EXPECT_EQ(child->status(), State::SYN_RECEIVED);
  EXPECT_EQ(read_all(*child, now), "request");
  EXPECT_EQ(listener->fast_open_requests(), 1u);
  EXPECT_TRUE(child->send(std::as_bytes(std::span("answer", 6)), {}, now).ok());
  settle();
  EXPECT_EQ(child->status(), State::ESTABLISHED);
  EXPECT_EQ(second->status(), State::ESTABLISHED);
  EXPECT_EQ(client->counters.tcp_fast_open_active, 1u);
  EXPECT_EQ(read_all(*second, now), "answer");
  EXPECT_EQ(listener->fast_open_requests(), 0u);
  EXPECT_EQ(child->links.listener, nullptr);
  EXPECT_EQ(client->counters.tcp_retransmitted, 0u);
  for (Connection* c : {first, second}) close(*client, *c);
  for (Connection* c : {ordinary, child}) close(*server, *c);
}

// 7413-2
TEST_F(FastOpenTest, row_7413_2_4_2_off_unless_the_port_asks_for_it) {
  for (const bool by_listener : {false, true}) {
    make_server(by_listener ? kFastOpenServer : kFastOpenClient);
    if (by_listener) listener->fast_open().max_requests = 0;
    Connection* first = open("");
    settle();
    EXPECT_EQ(first->status(), State::ESTABLISHED);
    EXPECT_EQ(counted().tcp_fast_open_cookies_requested, 0u);
    first->abort(now);
    client->tcp.release(*first, now);
    settle();
  }
}

// 7413-4.1
TEST_F(FastOpenTest, row_7413_4_1_a_wrong_cookie_gets_a_new_one_and_its_text_is_not_taken) {
  learn_cookie();
  constexpr HashKey kOther = {7};
  make_server(kFastOpenServer, &kOther);
  Connection* first = open_to_server("request");
  EXPECT_EQ(counted().tcp_fast_open_passive_failed, 1u);
  EXPECT_FALSE(listener->is_acceptable());
  settle();
  Connection* child = accepted(*listener);
  EXPECT_EQ(read_all(*child, now), "request");  // it came again
  EXPECT_EQ(client->counters.tcp_fast_open_active_failed, 1u);
  Connection* second = open_to_server("again");
  EXPECT_EQ(counted().tcp_fast_open_passive, 1u);
  for (Connection* c : {first, second}) close(*client, *c);
  close(*server, *child);
}

// 7413-4.1
TEST_F(FastOpenTest, row_7413_4_1_the_cookie_of_the_key_before_is_good_and_renewed) {
  learn_cookie();
  constexpr HashKey kNew = {7};
  listener->fast_open().keys = {.key = {kNew, test_secret(1).fast_open}, .count = 2};
  for (int i = 0; i < 2; ++i) {
    Connection* c = open("request");
    settle();
    Connection* child = accepted(*listener);
    EXPECT_EQ(read_all(*child, now), "request");
    close(*client, *c);
    close(*server, *child);
    listener->fast_open().keys = {.key = {kNew}, .count = 1};
  }
  EXPECT_EQ(counted().tcp_fast_open_passive, 2u);
  EXPECT_EQ(counted().tcp_fast_open_passive_failed, 0u);
}

TEST_F(FastOpenTest, text_needs_no_cookie_where_the_listener_or_the_world_says_so) {
  for (const std::uint32_t world : {0u, static_cast<std::uint32_t>(kFastOpenServerNoCookie)}) {
    make_server(kFastOpenServer | world);
    listener->fast_open().needs_no_cookie = world == 0;
    Connection* c = open("request", true);
    deliver_all();
    EXPECT_EQ(counted().tcp_fast_open_passive, 1u);
    Connection* child = accepted(*listener);
    EXPECT_EQ(read_all(*child, now), "request");
    settle();
    close(*client, *c);
    close(*server, *child);
  }
}

// Text without an option is an ordinary SYN to who needs a cookie.
TEST_F(FastOpenTest, bare_text_is_not_taken) {
  Connection* c = open("request", true);
  deliver_all();
  EXPECT_FALSE(listener->is_acceptable());
  settle();
  Connection* child = accepted(*listener);
  EXPECT_EQ(read_all(*child, now), "request");
  close(*client, *c);
  close(*server, *child);
}

// The rest are ordinary handshakes; a SYN that has no room is no reason to refuse it. (7413-4.2)
TEST_F(FastOpenTest, row_7413_4_2_requests_are_capped) {
  learn_cookie();
  std::vector<Connection*> all;
  for (int i = 0; i < 5; ++i) all.push_back(open_to_server("request"));
  EXPECT_EQ(listener->fast_open_requests(), 3u);
  EXPECT_EQ(listener->waiting(), 3u);
  EXPECT_EQ(listener->half_open(), 2u);
  EXPECT_EQ(counted().tcp_fast_open_overflows, 2u);
  settle();
  EXPECT_EQ(listener->fast_open_requests(), 0u);
  EXPECT_EQ(listener->waiting(), 5u);
  for (Connection* c : all) close(*client, *c);
}

// RFC 7413 5.1. Linux: reqsk_fastopen_remove(). (7413-4.2)
TEST_F(FastOpenTest, row_7413_4_2_one_that_was_accepted_and_reset_counts_for_a_minute) {
  learn_cookie();
  listener->fast_open().max_requests = 1;
  Connection* first = open_to_server("request");
  Connection* child = accepted(*listener);
  server->flush(now, wire);
  wire.clear();
  Segment reset;
  reset.ctl = RST;
  reset.seq = child->rcv().nxt;
  child->segment_arrives(std::move(reset), now);
  server->tcp.settle(*child, now);
  EXPECT_EQ(child->status(), State::CLOSED);
  EXPECT_EQ(child->take_error(), Errno::connection_reset);
  EXPECT_EQ(listener->fast_open_requests(), 0u);
  EXPECT_FALSE(listener->has_room_for_fast_open(now));
  now = now + Duration::seconds(70);
  EXPECT_TRUE(listener->has_room_for_fast_open(now));
  server->tcp.release(*child, now);
  first->abort(now);
  client->tcp.release(*first, now);
}

// A program's own abort is no sign of an attack.
TEST_F(FastOpenTest, one_that_its_program_aborts_counts_no_longer) {
  learn_cookie();
  listener->fast_open().max_requests = 1;
  Connection* first = open_to_server("request");
  Connection* child = accepted(*listener);
  child->abort(now);
  server->tcp.release(*child, now);
  EXPECT_TRUE(listener->has_room_for_fast_open(now));
  settle();
  first->abort(now);
  client->tcp.release(*first, now);
}

// It is accepted all the same, and says what has happened.
TEST_F(FastOpenTest, one_that_was_reset_before_it_was_accepted_waits_on) {
  learn_cookie();
  Connection* first = open_to_server("request");
  Connection* child = server->tcp.find_connection(
      {.local = {server->address, kWebPort}, .remote = first->tuple().local});
  ASSERT_TRUE(child);
  server->flush(now, wire);
  wire.clear();
  Segment reset;
  reset.ctl = RST;
  reset.seq = child->rcv().nxt;
  child->segment_arrives(std::move(reset), now);
  EXPECT_EQ(server->tcp.settle(*child, now), listener);
  EXPECT_EQ(listener->fast_open_requests(), 0u);
  EXPECT_EQ(listener->waiting(), 1u);
  EXPECT_EQ(accepted(*listener), child);
  EXPECT_EQ(child->take_error(), Errno::connection_reset);
  server->tcp.release(*child, now);
  first->abort(now);
  client->tcp.release(*first, now);
}

TEST_F(FastOpenTest, a_listener_may_go_before_the_handshakes_end) {
  learn_cookie();
  Connection* first = open_to_server("request");
  Connection* child = accepted(*listener);
  Connection* second = open_to_server("request");  // nobody accepts this one
  server->tcp.close(*listener, now);
  EXPECT_EQ(child->links.listener, nullptr);
  settle();
  EXPECT_EQ(child->status(), State::ESTABLISHED);
  EXPECT_EQ(second->status(), State::CLOSED);
  close(*client, *first);
  client->tcp.release(*second, now);
  close(*server, *child);
}

// Closed by its program in SYN-RECEIVED, it goes on alone.
TEST_F(FastOpenTest, an_orphan_ends_its_handshake_and_says_goodbye) {
  learn_cookie();
  Connection* first = open_to_server("request");
  Connection* child = accepted(*listener);
  EXPECT_EQ(read_all(*child, now), "request");
  EXPECT_TRUE(child->send(std::as_bytes(std::span("answer", 6)), {}, now).ok());
  child->close(now);
  server->tcp.release(*child, now);
  settle();
  EXPECT_EQ(listener->fast_open_requests(), 0u);
  EXPECT_EQ(first->status(), State::CLOSE_WAIT);
  EXPECT_EQ(read_all(*first, now), "answer");
  close(*client, *first);
  settle();
  EXPECT_EQ(server->tcp.connections(), 0u);
}

// V15 goes before: who keeps nothing of a SYN keeps no text either.
TEST_F(FastOpenTest, a_syn_cookie_takes_precedence) {
  learn_cookie();
  TcpConfig own = config;
  own.fastopen = kFastOpenServer;
  own.syncookies = 2;
  server = std::make_unique<TcpHost>(IpAddress::v4(198, 18, 0, 2), own);
  listener = server->listen(kWebPort, 4);
  listener->fast_open().max_requests = 3;
  Connection* first = open_to_server("request");
  EXPECT_EQ(counted().tcp_fast_open_passive, 0u);
  EXPECT_EQ(counted().tcp_syncookies_sent, 1u);
  settle();
  EXPECT_EQ(first->status(), State::ESTABLISHED);
  close(*client, *first);
}

}  // namespace
}  // namespace pollux::tcp
