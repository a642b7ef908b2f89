// runner_test.cc - a wrong script fails, at its line, and says what was seen instead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/packetdrill/programs.h"
#include "tests/packetdrill/table.h"

namespace pollux::packetdrill {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Of a process of its own: what failed leaves threads behind. "" if the script passed.
std::string outcome_of(const std::string& text) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    bool impossible = false;
    const std::string failure = run_script("test.pkt", text, {fill_table, &extras()}, impossible);
    const auto written = ::write(ends[1], failure.data(), failure.size());
    _exit(written == static_cast<ssize_t>(failure.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string outcome;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0;) {
    outcome.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return outcome;
}

const std::string kListening =
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
    "+0 bind(3, ..., ...) = 0\n"
    "+0 listen(3, 4) = 0\n";
const std::string kEstablished = kListening +
                                 "+0 < S 0:0(0) win 65535 <mss 1460>\n"
                                 "+0 > S. 0:0(0) ack 1 <mss 1460>\n"
                                 "+0.01 < . 1:1(0) ack 1 win 65535\n"
                                 "+0 accept(3, ..., ...) = 4\n";

std::string after_handshake(const std::string& lines) { return outcome_of(kEstablished + lines); }

TEST(Runner, a_right_script_passes) {
  EXPECT_THAT(after_handshake("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"), IsEmpty());
}

TEST(Runner, a_wrong_result_is_told_with_its_line) {
  EXPECT_THAT(after_handshake("+0 write(4, ..., 10) = 11\n"),
              AllOf(StartsWith("test.pkt:8: write returned 10"), HasSubstr("write(4, ..., 10)")));
}

TEST(Runner, another_error_is_told_by_name) {
  EXPECT_THAT(after_handshake("+0 listen(4, 1) = -1 EBADF\n"),
              HasSubstr("8: listen returned -1 EINVAL"));
}

TEST(Runner, an_error_instead_of_a_descriptor) {
  EXPECT_THAT(outcome_of("0 socket(..., 77, 0) = 3\n"), HasSubstr("1: socket returned -1"));
}

TEST(Runner, a_packet_that_no_line_expects) {
  EXPECT_THAT(after_handshake("+0 write(4, ..., 10) = 10\n+0.1 close(4) = 0\n"),
              AllOf(StartsWith("test.pkt:9: before this line"), HasSubstr("> P. 1:11(10) ack 1")));
}

TEST(Runner, a_packet_after_the_last_line) {
  EXPECT_THAT(after_handshake("+0 write(4, ..., 10) = 10\n"), HasSubstr("8: before this line"));
}

TEST(Runner, a_packet_that_never_comes) {
  EXPECT_THAT(after_handshake("+0 > . 1:1(0) ack 1\n"), HasSubstr("8: the stack sends nothing"));
}

TEST(Runner, silence_that_is_broken) {
  EXPECT_THAT(after_handshake("+0 write(4, ..., 1) = 1\n+0 > P. 1:2(1) ack 1\n+1 silence\n"),
              HasSubstr("10: before this line, at 0.2"));
}

struct WrongPacket {
  const char* line;
  const char* what;
};

TEST(Runner, each_field_of_a_packet_is_compared) {
  for (const WrongPacket& wrong : {
           WrongPacket{"+0 > . 1:11(10) ack 1", "control bits"},
           WrongPacket{"+0 > P. 2:12(10) ack 1", "sequence number"},
           WrongPacket{"+0 > P. 1:12(11) ack 1", "length"},
           WrongPacket{"+0 > P. 1:11(10) ack 2", "acknowledgment number"},
           WrongPacket{"+0 > P. 1:11(10) ack 1 win 1", "window"},
           WrongPacket{"+0 > P. 1:11(10) ack 1 <nop,nop,TS val 1 ecr 1>", "options"},
           WrongPacket{"+0 > [tos 0x10] P. 1:11(10) ack 1", "tos"},
           WrongPacket{"+0 > [ttl 1] P. 1:11(10) ack 1", "ttl"},
           WrongPacket{"+0 > [2] P. 1:11(10) ack 1", "another connection's"},
           WrongPacket{"+0.1 > P. 1:11(10) ack 1", "it came at 0.010"},
           WrongPacket{"+0.1~+0.2 > P. 1:11(10) ack 1", "it came at 0.010"},
           WrongPacket{"+0 > udp (10)", "the stack sent"},
       }) {
    const std::string lines = std::string("+0 write(4, ..., 10) = 10\n") + wrong.line + "\n";
    EXPECT_THAT(after_handshake(lines), AllOf(StartsWith("test.pkt:9: "), HasSubstr(wrong.what)));
  }
}

TEST(Runner, the_urgent_pointer_is_compared) {
  EXPECT_THAT(after_handshake("+0 send(4, ..., 1, MSG_OOB) = 1\n+0 > PU. 1:2(1) ack 1 urg 2\n"),
              HasSubstr("urgent pointer"));
}

TEST(Runner, the_octets_of_a_text_are_compared) {
  const std::string first = "+0 < P. 2:12(10) ack 1 win 65535\n+0 > . 1:1(0) ack 1\n";
  EXPECT_THAT(after_handshake(first + "+0 < P. 1:2(1) ack 1 win 65535\n+0 > . 1:1(0) ack 12\n"
                                      "+0 read(4, ..., 20) = 11\n"),
              IsEmpty());
  // Of two writes, the one that failed has taken nothing from the stream.
  EXPECT_THAT(after_handshake("+0 write(9, ..., 10) = -1 EBADF\n+0 write(4, ..., 10) = 10\n"
                              "+0 > P. 1:11(10) ack 1\n"),
              IsEmpty());
}

TEST(Runner, a_call_that_blocks_where_it_should_not) {
  EXPECT_THAT(after_handshake("+0 read(4, ..., 10) = 10\n"), HasSubstr("8: the call blocks"));
}

TEST(Runner, a_blocking_call_returns_in_time) {
  const std::string blocks = "+0...0.5 read(4, ..., 10) = 10\n";
  const std::string text = "< P. 1:11(10) ack 1 win 65535\n+0 > . 1:1(0) ack 11\n+1 silence\n";
  EXPECT_THAT(after_handshake(blocks + "+0.5 " + text), IsEmpty());
  EXPECT_THAT(after_handshake(blocks + "+0.2 " + text), HasSubstr("8: the call returned at 0.21"));
  EXPECT_THAT(after_handshake(blocks), HasSubstr("8: the call has not returned"));
}

TEST(Runner, a_timeout_ends_a_call_by_virtual_time) {
  EXPECT_THAT(after_handshake("+0...3600 poll([{fd=4, events=POLLIN, revents=0}], 1, 3600000) = 0"),
              IsEmpty());
}

TEST(Runner, readiness_and_data_are_compared) {
  EXPECT_THAT(after_handshake("+0 poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1\n"),
              HasSubstr("revents of entry 0: 4 (0x4) instead of 1 (0x1)"));
  const std::string set =
      "+0 epoll_create1(0) = 5\n"
      "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0\n";
  EXPECT_THAT(after_handshake(set + "+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1\n"),
              IsEmpty());
  EXPECT_THAT(after_handshake(set + "+0 epoll_wait(5, {events=EPOLLOUT, fd=3}, 1, 0) = 1\n"),
              HasSubstr("10: the data of entry 0: 4"));
  EXPECT_THAT(after_handshake(set + "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1\n"),
              HasSubstr("10: events of entry 0: 4"));
}

TEST(Runner, options_and_values_are_compared) {
  EXPECT_THAT(after_handshake("+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0\n"),
              HasSubstr("8: the option: 0"));
  EXPECT_THAT(after_handshake("+0 ioctl(4, SIOCINQ, [1]) = 0\n"), HasSubstr("8: the value: 0"));
  EXPECT_THAT(after_handshake("+0 tcp_info(4).tcpi_state == TCP_CLOSE\n"),
              HasSubstr("8: tcpi_state is 1"));
  EXPECT_THAT(after_handshake("+0 tcp_info(4).nothing == 1\n"), HasSubstr("no field nothing"));
}

TEST(Runner, timestamps_count_from_the_first_that_is_named) {
  const std::string opened = kListening +
                             "+0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 7 ecr 0>\n"
                             "+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 7>\n"
                             "+0.05 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 8 ecr 100>\n"
                             "+0 accept(3, ..., ...) = 4\n"
                             "+0 write(4, ..., 10) = 10\n";
  EXPECT_THAT(outcome_of(opened + "+0 > P. 1:11(10) ack 1 <nop,nop,TS val 150 ecr 8>\n"),
              IsEmpty());
  EXPECT_THAT(outcome_of(opened + "+0 > P. 1:11(10) ack 1 <nop,nop,TS val 149 ecr 8>\n"),
              HasSubstr("options: the stack sent"));
}

TEST(Runner, what_cannot_be_read_is_told_with_its_line) {
  for (const WrongPacket& wrong : {
           WrongPacket{"+0 < S 0:5(0) win 1", "do not differ by the length"},
           WrongPacket{"+0 < X 0:0(0) win 1", "control bits are needed"},
           WrongPacket{"+0 < . 0:0(0) win 1", "come together"},
           WrongPacket{"+0 < S 0:0(0) win 70000", "from 0 to 65535"},
           WrongPacket{"+0 < S 0:0(0) win 1 <msss 1>", "no TCP option"},
           WrongPacket{"+0 < icmp nothing [1:1(0)]", "no ICMP error"},
           WrongPacket{"+0 close(3) = -1", "which error?"},
           WrongPacket{"+0 close(3) = 0 EBADF", "errors come with -1"},
           WrongPacket{"+0 close(NOTHING) = 0", "unknown name \"NOTHING\""},
           WrongPacket{"+0 shut(3) = 0", "no call is named shut"},
           WrongPacket{"+0...1 < S 0:0(0) win 1", "only calls block"},
           WrongPacket{"* < S 0:0(0) win 1", "at any time"},
           WrongPacket{"+2~+1 > S 0:0(0)", "ends before it begins"},
           WrongPacket{"close(3) = 0", "a number is needed"},
       }) {
    EXPECT_THAT(outcome_of("0 socket(..., SOCK_STREAM, 0) = 3\n" + std::string(wrong.line) + "\n"),
                AllOf(StartsWith("test.pkt:2: "), HasSubstr(wrong.what)));
  }
  EXPECT_THAT(outcome_of("/* no end"), HasSubstr("1: a comment without an end"));
  EXPECT_THAT(outcome_of("// nothing\n"), HasSubstr("there is nothing in it"));
}

}  // namespace
}  // namespace pollux::packetdrill
