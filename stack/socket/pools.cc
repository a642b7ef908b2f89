// pools.cc - the pools of sockets; taken from and given back under one short lock.
#include "stack/socket/pools.h"

#include <memory>
#include <utility>

#include "stack/base/entry.h"
#include "stack/base/slab_pool.h"

namespace pollux {
namespace {

struct Pools {
  explicit Pools(std::uint32_t n) : tcp(n), idle(n), udp(n) {}
  Entry lock{ThreadMode::shared};
  SlabPool<TcpSocket> tcp;
  SlabPool<IdleTcp> idle;
  SlabPool<UdpSocket> udp;
};

// Kept for the life of the process, also while it exits: a late lookup may read a File of a stack
// that has ended.
Pools* pools = nullptr;

}  // namespace

void configure_sockets(std::uint32_t max_sockets) {
  if (pools && pools->tcp.capacity() >= max_sockets) return;
  CHECK(!pools || sockets_used() == 0);
  const std::unique_ptr<Pools> smaller(
      std::exchange(pools, std::make_unique<Pools>(max_sockets).release()));
}

std::uint32_t sockets_used() {
  if (!pools) return 0;
  const Entered entered(pools->lock);
  return pools->tcp.used() + pools->udp.used();
}

namespace socket_pools {

TcpSocket* create_tcp(World& world, const SocketType& type) {
  CHECK(pools != nullptr);
  const Entered entered(pools->lock);
  IdleTcp* idle = pools->idle.create();
  if (!idle) return nullptr;
  TcpSocket* socket = pools->tcp.create(world, type, *idle);
  if (!socket) pools->idle.destroy(idle);
  return socket;
}

TcpSocket* create_tcp(World& world, const SocketType& type, tcp::Connection* connection) {
  CHECK(pools != nullptr);
  const Entered entered(pools->lock);
  return pools->tcp.create(world, type, connection);
}

UdpSocket* create_udp(World& world, const SocketType& type) {
  CHECK(pools != nullptr);
  const Entered entered(pools->lock);
  return pools->udp.create(world, type);
}

void destroy(TcpSocket* socket) {
  const Entered entered(pools->lock);
  pools->tcp.destroy(socket);
}

void destroy(UdpSocket* socket) {
  const Entered entered(pools->lock);
  pools->udp.destroy(socket);
}

IdleTcp* create_idle() {
  const Entered entered(pools->lock);
  IdleTcp* idle = pools->idle.create();
  CHECK(idle != nullptr);
  return idle;
}

void destroy(IdleTcp* idle) {
  const Entered entered(pools->lock);
  pools->idle.destroy(idle);
}

}  // namespace socket_pools
}  // namespace pollux
