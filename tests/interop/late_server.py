# late_server.py - serves HTTP once its device is free; until then it waits in the call of its
# argument.
import os
import select
import socket
import sys
import threading
import time

call, address = sys.argv[1:]
server = socket.create_server((address, 8002))
reader, writer = os.pipe()


def write_three():
    for _ in range(3):
        time.sleep(0.1)
        os.write(writer, b"x")


def ready_by_select():
    return select.select([server, reader], [], [])[0]


def ready_by_poll():
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.register(reader, select.POLLIN)
    return [number for number, _ in poll.poll()]


def ready_by_epoll():
    return [number for number, _ in epoll.poll()]


threading.Thread(target=write_three, daemon=True).start()
print("listening", flush=True)
if call == "epoll":
    epoll = select.epoll()
    epoll.register(server, select.EPOLLIN)
    epoll.register(reader, select.EPOLLIN)
ready = {"select": ready_by_select, "poll": ready_by_poll, "epoll": ready_by_epoll}
seen = 0
while call != "accept":
    now = ready[call]()
    if reader in now:
        seen += len(os.read(reader, 1))
        print("pipe", seen, flush=True)
    if seen == 3 and (server in now or server.fileno() in now):
        break
if call == "accept":
    print("pipe 3", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello\n")
    connection.close()
