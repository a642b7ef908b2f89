#!/usr/bin/env python3
# asyncio_echo.py - an asyncio server, its clients, a child process and timers in one loop.
import asyncio
import os


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def ask(address, port):
    reader, writer = await asyncio.open_connection(address, port)
    message = os.urandom(300_000)

    async def send():
        writer.write(message)
        await writer.drain()
        writer.write_eof()
    sending = asyncio.create_task(send())
    assert await reader.read() == message
    await sending
    writer.close()
    await writer.wait_closed()


async def child():
    process = await asyncio.create_subprocess_exec("echo", "from a child",
                                                   stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output == b"from a child\n", output


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(child(), *[ask("127.0.0.1", port) for _ in range(20)])
    await asyncio.sleep(0.01)
    server.close()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
    print("1 passed, 0 failed, 0 skipped")
