// pools.h - where sockets live: process-wide, type-stable pools behind one lock.
#pragma once

#include "stack/socket/tcp_socket.h"
#include "stack/socket/udp_socket.h"

namespace pollux::socket_pools {

// Null: the pool is exhausted (ENFILE).
TcpSocket* create_tcp(World& world, const SocketType& type);
TcpSocket* create_tcp(World& world, const SocketType& type, tcp::Connection* connection);
UdpSocket* create_udp(World& world, const SocketType& type);
void destroy(TcpSocket* socket);
void destroy(UdpSocket* socket);
// There are as many as there may be TCP sockets, so one is always left for a socket that needs it.
IdleTcp* create_idle();
void destroy(IdleTcp* idle);

}  // namespace pollux::socket_pools
