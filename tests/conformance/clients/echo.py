"""A client of Python's websockets for Autobahn's fuzzing server: runs every case and sends back what comes.

    python echo.py BASE_URL AGENT HOST

HOST is what the Host field says: the fuzzing server takes no other than its own address.
"""

import asyncio
import json
import logging
import ssl
import sys
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


async def main(url: str, agent: str, host: str):
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # broken frames are what many cases are about
    where = urlsplit(url)
    base = f"{where.scheme}://{host}"
    # A ping of its own, because a case took long, would be no answer to anything.
    options = {"max_size": None, "ping_interval": None, "host": where.hostname, "port": where.port}
    if where.scheme == "wss":
        options["ssl"] = ssl.create_default_context()

    async with connect(base + "/getCaseCount", **options) as connection:
        count = json.loads(await connection.recv())
    for number in range(1, count + 1):
        try:
            async with connect(f"{base}/runCase?case={number}&agent={agent}", **options) as connection:
                async for message in connection:
                    await connection.send(message)
        except (WebSocketException, EOFError):
            pass  # what came of it is the fuzzing server's to say
    async with connect(f"{base}/updateReports?agent={agent}", **options):
        pass


asyncio.run(main(*sys.argv[1:]))
