// tcp_socket_options.cc - TcpSocket: where its options stand in each of its roles.
#include <algorithm>

#include "stack/socket/tcp_socket.h"
#include "stack/tcp/tcp.h"

namespace pollux {

tcp::UserOptions* TcpSocket::user_options() {
  if (tcp::Connection* c = connection()) return &c->options();
  if (tcp::Listener* l = listener()) return &l->options();
  return &idle()->options;
}

void TcpSocket::options_changed(Instant now) {
  tcp::Connection* c = connection();
  if (!c) return;
  c->options_changed(now);
  after_call(*c, now);
}

ListenGroup* TcpSocket::group() const {
  const tcp::Listener* l = listener();
  return l ? static_cast<ListenGroup*>(l->group) : nullptr;
}

std::uint32_t TcpSocket::waiting() const {
  const tcp::Listener* l = listener();
  return (l ? l->waiting() : 0) + (group() ? group()->waiting.load() : 0);
}

void TcpSocket::option_was_set() {
  tcp::Listener* l = listener();
  if (l && l->group) world_->gate.share(*this, *l);
}

// 17.13: who can write now hears of it, whether or not space was missed. What is not connected
// counts as writable. Linux: sk_stream_write_space().
void TcpSocket::send_limit_changed(Instant now) {
  options_changed(now);
  const tcp::Connection* c = connection();
  if (!c || c->is_writable()) wait_queue().wake_up(kWritableKey);
}

bool TcpSocket::is_closed() const { return idle() || is_over(); }

tcp::FastOpenOptions* TcpSocket::fast_open() {
  if (tcp::Listener* l = listener()) return &l->fast_open();
  return idle() ? &idle()->fast_open : nullptr;
}

// Linux: fastopen_queue_tune().
Result<void> TcpSocket::set_fast_open_requests(std::uint32_t most) {
  tcp::FastOpenOptions* const own = fast_open();
  if (!own) return Errno::invalid;
  own->max_requests = std::min(most, world_->tcp.max_backlog());
  return {};
}

tcp::FastOpenKeys TcpSocket::fast_open_keys() {
  const tcp::FastOpenOptions* const own = fast_open();
  return world_->tcp.fast_open_keys(own ? *own : tcp::FastOpenOptions());
}

std::uint32_t TcpSocket::send_buffer() const {
  if (const tcp::Connection* c = connection()) return c->send_buffer_size();
  const tcp::UserOptions& options = listener() ? listener()->options() : idle()->options;
  return options.send_buffer != 0 ? options.send_buffer : config().send_buffer;
}

std::uint32_t TcpSocket::receive_buffer() const {
  if (const tcp::Connection* c = connection()) return c->receive_buffer_size();
  const tcp::UserOptions& options = listener() ? listener()->options() : idle()->options;
  return options.receive_buffer != 0 ? options.receive_buffer : config().receive_buffer;
}

void TcpSocket::set_send_buffer(std::uint32_t octets, Instant now) {
  user_options()->send_buffer = octets;
  send_limit_changed(now);
}

void TcpSocket::set_receive_buffer(std::uint32_t octets, Instant now) {
  user_options()->receive_buffer = octets;
  options_changed(now);
}

// 16.40: at most half of the buffer.
void TcpSocket::set_receive_low_water(std::uint32_t octets, Instant now) {
  constexpr std::uint32_t kAutomaticMax = 6u << 20;  // tcp_rmem[2]
  tcp::UserOptions& options = *user_options();
  const std::uint32_t buffer = options.receive_buffer != 0 ? options.receive_buffer : kAutomaticMax;
  options.receive_low_water = std::min(octets, buffer / 2);
  tcp::Connection* c = connection();
  if (!c) return;
  c->receive_low_water_changed();
  after_call(*c, now);
}

std::uint32_t TcpSocket::defer_accept_s() const {
  if (const tcp::Listener* l = listener()) {
    return static_cast<std::uint32_t>(l->defer_accept().to_ms() / 1000);
  }
  return idle() ? idle()->defer_accept_s : 0;
}

void TcpSocket::set_defer_accept_s(std::uint32_t seconds) {
  if (tcp::Listener* l = listener()) l->set_defer_accept(Duration::seconds(seconds));
  if (idle()) idle()->defer_accept_s = seconds;
}

}  // namespace pollux
