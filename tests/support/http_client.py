"""An asyncio client that carries one HTTP/1.1 request after the other on one connection, over h11."""

import h11
from cuts import Line


class Failed(Exception):
    """An answer that is not the one expected."""


class Http:
    """A connection that carries one request after the other."""

    def __init__(self, url: str):
        self.line = Line(url)
        self.http = h11.Connection(h11.CLIENT)

    async def __aenter__(self):
        await self.line.__aenter__()
        return self

    async def __aexit__(self, *how):
        await self.line.__aexit__(*how)

    @property
    def reusable(self) -> bool:
        """Neither side has said that this was the last request."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def begin(self, method: str, target: str, headers=(), body: bytes | None = None) -> None:
        if self.http.our_state is h11.DONE:
            self.http.start_next_cycle()
        headers = [("Host", "front.example"), *headers]
        if body is not None:
            headers.append(("Content-Length", str(len(body))))
        data = self.http.send(h11.Request(method=method, target=target, headers=headers))
        if body:
            data += self.http.send(h11.Data(body))
        await self.line.send(data + self.http.send(h11.EndOfMessage()))

    async def event(self):
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.line.receive())
        return event

    async def head(self) -> h11.Response:
        event = await self.event()
        if not isinstance(event, h11.Response):
            raise Failed(f"{event!r} instead of an answer")
        return event

    async def body(self) -> bytes:
        parts = []
        while isinstance(event := await self.event(), h11.Data):
            parts.append(bytes(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise Failed(f"{event!r} in a body")
        return b"".join(parts)

    async def ask(self, *request, **options) -> tuple[h11.Response, bytes]:
        await self.begin(*request, **options)
        head = await self.head()
        body = await self.body()
        if head.status_code != 200:
            raise Failed(f"{head.status_code}: {body[:100]!r}")
        return head, body
