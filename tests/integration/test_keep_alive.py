"""The race that costs other proxies a 502 now and then: uvicorn closes a connection that was idle for 5 s."""

import asyncio
import random
from collections import Counter

CONNECTIONS = 200
REQUESTS = 10  # on each


async def visit(port: int, number: int, pauses: random.Random, statuses: Counter) -> None:
    """One browser: now and then a request, always on the same connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cookie = b""
    await asyncio.sleep(pauses.uniform(0, 5))
    for turn in range(REQUESTS):
        if turn:
            await asyncio.sleep(pauses.uniform(4.5, 5.5))
        if turn % 2:
            body = b"x" * pauses.randrange(1, 2000)
            head = b"POST /sink HTTP/1.1\r\nContent-Length: %d\r\n" % len(body)
        else:
            body, head = b"", b"GET /whoami HTTP/1.1\r\n"
        writer.write(head + b"Host: a\r\n" + cookie + b"\r\n" + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if b": " in line)
        await reader.readexactly(int(fields[b"content-length"]))
        if not cookie:
            line = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"set-cookie: usher="))
            cookie = b"Cookie: " + line[12:].split(b";")[0] + b"\r\n"
        statuses[answer.split()[1]] += 1
    writer.close()


def test_requests_spaced_like_uvicorns_own_limit_never_fail(house):
    node = house.usher(house.replicas(["alpha", "beta"]))
    statuses: Counter = Counter()

    async def crowd():
        seeds = random.Random(5)
        await asyncio.gather(
            *(visit(node.port(), number, random.Random(seeds.random()), statuses) for number in range(CONNECTIONS))
        )

    asyncio.run(crowd())
    assert statuses == {b"200": CONNECTIONS * REQUESTS}
    assert not [line for line in node.access_log if line["error"]]
    # Without the margin of upstream.timeouts.keep_alive, retries would have hidden some.
    assert node.metric("usher_retries_total", cause="replica_closed_idle") == 0
