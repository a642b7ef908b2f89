// data_calls.cc - reading and writing.
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "tests/packetdrill/calls.h"
#include "tests/packetdrill/packets.h"
#include "tests/packetdrill/values.h"

namespace pollux::packetdrill {
namespace {

// Of [{..., 100}, {..., 200}], or of [100, 200].
std::vector<std::size_t> vector_sizes(const Value& list) {
  std::vector<std::size_t> sizes;
  for (const Value& item : list.items) {
    const bool is_record = item.kind == Value::Kind::record && item.items.size() == 2;
    sizes.push_back(static_cast<std::size_t>(number(is_record ? item.items[1] : item)));
  }
  return sizes;
}

// Over a text as long as all sizes together.
std::vector<iovec> iovecs_over(std::vector<std::byte>& text,
                               const std::vector<std::size_t>& sizes) {
  std::vector<iovec> vector;
  std::size_t at = 0;
  for (const std::size_t one : sizes) {
    vector.push_back({text.data() + at, one});
    at += one;
  }
  return vector;
}
std::size_t total(const std::vector<std::size_t>& sizes) {
  std::size_t sum = 0;
  for (const std::size_t one : sizes) sum += one;
  return sum;
}

// One after the other; data as a whole number, of four octets or of one.
void check_control(const Value& expected, msghdr& message) {
  cmsghdr* seen = CMSG_FIRSTHDR(&message);
  for (const Value& one : expected.items) {
    if (!seen) fail("a control message is missing");
    check(*one.field("cmsg_level"), seen->cmsg_level, "cmsg_level");
    check(*one.field("cmsg_type"), seen->cmsg_type, "cmsg_type");
    std::int32_t data = 0;
    const bool is_octet = seen->cmsg_len == CMSG_LEN(1);
    std::memcpy(&data, CMSG_DATA(seen), is_octet ? 1 : sizeof data);
    check(*one.field("cmsg_data"), data, "cmsg_data");
    seen = CMSG_NXTHDR(&message, seen);
  }
  if (seen) fail(fmt::format("a control message of type {} is there too", seen->cmsg_type));
}

}  // namespace

std::vector<std::byte> Calls::text_for(const Value& fd, std::size_t size) {
  std::vector<std::byte> text(size);
  std::uint32_t offset = streams_[number(fd)].written;
  for (std::byte& octet : text) octet = stream_octet(offset++);
  return text;
}

long Calls::note_written(const Value& fd, long result) {
  if (result > 0) streams_[number(fd)].written += static_cast<std::uint32_t>(result);
  return result;
}

// Of datagrams each is a stream of its own, which reads from its start.
long Calls::check_read(const Value& fd, const std::vector<std::byte>& text, long result,
                       int flags) {
  if (result <= 0 || is_urgent_ || (flags & (MSG_OOB | MSG_TRUNC | MSG_ERRQUEUE)) != 0) {
    return result;
  }
  std::uint32_t& offset = streams_[number(fd)].read;
  for (long i = 0; i < result; ++i) {
    const auto at = static_cast<std::uint32_t>(i);
    if (text[at] == stream_octet(offset + at)) continue;
    fail(fmt::format("octet {} of the stream is another than what was sent", offset + at));
  }
  if ((flags & MSG_PEEK) == 0) offset += static_cast<std::uint32_t>(result);
  return result;
}

long Calls::read(const CallEvent& call) {
  std::vector<std::byte> text(size(call, 2));
  const long n = table_.read(table_.userdata, live(argument(call, 0)), text.data(), text.size());
  return check_read(argument(call, 0), text, n, 0);
}

long Calls::recv(const CallEvent& call) {
  std::vector<std::byte> text(size(call, 2));
  const int flags = integer(call, 3);
  const long n =
      table_.recv(table_.userdata, live(argument(call, 0)), text.data(), text.size(), flags);
  return check_read(argument(call, 0), text, n, flags);
}

long Calls::recvfrom(const CallEvent& call) {
  std::vector<std::byte> text(size(call, 2));
  const int flags = integer(call, 3);
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const long n = table_.recvfrom(table_.userdata, live(argument(call, 0)), text.data(), text.size(),
                                 flags, as_sockaddr(from), &length);
  return n;
}

long Calls::readv(const CallEvent& call) {
  const std::vector<std::size_t> sizes = vector_sizes(argument(call, 1));
  std::vector<std::byte> text(total(sizes));
  const std::vector<iovec> vector = iovecs_over(text, sizes);
  const long n =
      table_.readv(table_.userdata, live(argument(call, 0)), vector.data(), integer(call, 2));
  return check_read(argument(call, 0), text, n, 0);
}

long Calls::recvmsg(const CallEvent& call) {
  const Value& expected = argument(call, 1);
  const Value* const list = expected.field("msg_iov");
  if (!list) fail("msg_iov is needed");
  const std::vector<std::size_t> sizes = vector_sizes(*list);
  std::vector<std::byte> text(total(sizes));
  std::vector<iovec> vector = iovecs_over(text, sizes);
  alignas(cmsghdr) std::array<char, 256> room{};
  msghdr message{.msg_iov = vector.data(), .msg_iovlen = vector.size()};
  const Value* const control = expected.field("msg_control");
  if (control) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
  }
  const int flags = integer(call, 2);
  const long n = table_.recvmsg(table_.userdata, live(argument(call, 0)), &message, flags);
  const Value* const seen_flags = expected.field("msg_flags");
  if (n >= 0 && seen_flags) check(*seen_flags, message.msg_flags, "msg_flags");
  if (n >= 0 && control) check_control(*control, message);
  return check_read(argument(call, 0), text, n, flags);
}

long Calls::write(const CallEvent& call) {
  const std::vector<std::byte> text = text_for(argument(call, 0), size(call, 2));
  const long n = table_.write(table_.userdata, live(argument(call, 0)), text.data(), text.size());
  return note_written(argument(call, 0), n);
}

long Calls::send(const CallEvent& call) {
  const std::vector<std::byte> text = text_for(argument(call, 0), size(call, 2));
  const long n = table_.send(table_.userdata, live(argument(call, 0)), text.data(), text.size(),
                             integer(call, 3));
  return note_written(argument(call, 0), n);
}

// An address of 0 is none.
long Calls::sendto(const CallEvent& call) {
  const std::vector<std::byte> text = text_for(argument(call, 0), size(call, 2));
  const Value& to = argument(call, 4);
  const sockaddr_in in = to_sockaddr(address_of(to, {kPeer, kServerPort}));
  const bool has_address = to.kind != Value::Kind::number;
  const long n = table_.sendto(table_.userdata, live(argument(call, 0)), text.data(), text.size(),
                               integer(call, 3), has_address ? as_sockaddr(in) : nullptr,
                               has_address ? sizeof in : 0);
  return note_written(argument(call, 0), n);
}

long Calls::writev(const CallEvent& call) {
  const std::vector<std::size_t> sizes = vector_sizes(argument(call, 1));
  std::vector<std::byte> text = text_for(argument(call, 0), total(sizes));
  const std::vector<iovec> vector = iovecs_over(text, sizes);
  const long n =
      table_.writev(table_.userdata, live(argument(call, 0)), vector.data(), integer(call, 2));
  return note_written(argument(call, 0), n);
}

long Calls::sendmsg(const CallEvent& call) {
  const Value* const list = argument(call, 1).field("msg_iov");
  if (!list) fail("msg_iov is needed");
  const std::vector<std::size_t> sizes = vector_sizes(*list);
  std::vector<std::byte> text = text_for(argument(call, 0), total(sizes));
  std::vector<iovec> vector = iovecs_over(text, sizes);
  const msghdr message{.msg_iov = vector.data(), .msg_iovlen = vector.size()};
  const long n =
      table_.sendmsg(table_.userdata, live(argument(call, 0)), &message, integer(call, 2));
  return note_written(argument(call, 0), n);
}

}  // namespace pollux::packetdrill
