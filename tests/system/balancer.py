"""A load balancer with sticky sessions by cookie. Arguments: PORT REPLICA_PORT …"""

import asyncio
import itertools
import re
import sys

END_OF_HEAD = b"\r\n\r\n"
COOKIE = re.compile(rb"\r\nCookie:[^\r]*\breplica=(\d)", re.IGNORECASE)


async def main(port: int, *replicas: int) -> None:
    turns = itertools.cycle(range(len(replicas)))

    async def serve(browser: asyncio.StreamReader, to_browser: asyncio.StreamWriter) -> None:
        try:
            head = await browser.readuntil(END_OF_HEAD)
            sticky = COOKIE.search(head)
            chosen, replica, to_replica = await connect(int(sticky[1]) if sticky else next(turns))
            to_replica.write(head)
            status, rest = (await replica.readuntil(END_OF_HEAD)).split(b"\r\n", 1)
            to_browser.write(status + b"\r\nSet-Cookie: replica=%d; Path=/\r\n" % chosen + rest)
            await asyncio.gather(pass_on(replica, to_browser), pass_on(browser, to_replica))
        except (OSError, asyncio.IncompleteReadError):
            to_browser.close()

    async def connect(first: int) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        for chosen in (k % len(replicas) for k in range(first, first + len(replicas))):
            try:
                return chosen, *await asyncio.open_connection("127.0.0.1", replicas[chosen])
            except ConnectionRefusedError:
                continue
        raise ConnectionRefusedError("no replica accepts connections")

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while part := await source.read(65536):
        target.write(part)
        await target.drain()
    target.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
