"""A stand-in for the model: OpenAI's API as far as Open WebUI asks for it. It counts when it is told to, at a
pace that leaves time to break something, and finds a code word in what it is given to read.

What it was asked, and how far it came, is one JSON line each on standard output.
"""

import asyncio
import json
import math
import os
import re
import sys
import time
import zlib

PACE = float(os.environ.get("MODEL_PACE", "0.1"))  # seconds between two words
DIMENSIONS = 256

COUNT = re.compile(r"count to (\d+)", re.IGNORECASE)
CODE = re.compile(r"the code word is (\w+)", re.IGNORECASE)


def tell(event: str, **more) -> None:
    print(json.dumps({"time": time.time(), "event": event, **more}), flush=True)


def text_of(message: dict) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def answer_to(messages: list[dict]) -> list[str]:
    """The words of the answer."""
    asked = text_of(messages[-1])
    if asked.lstrip().startswith("### Task:") and "JSON" in asked:
        # Titles, tags and follow-ups: each takes its own key.
        return ['{"title": "Counting", "tags": ["Testing"], "follow_ups": ["Go on?"], "queries": []}']
    if number := COUNT.findall(asked):
        return [f"{each} " for each in range(1, int(number[-1]) + 1)]
    everything = " ".join(text_of(message) for message in messages)
    if code := CODE.findall(everything):
        return ["It ", "is ", f"{code[-1]}."]
    return ["I ", "know ", "nothing ", "of ", "that."]


def embedding(text: str) -> list[float]:
    """Texts are near to each other when they share words."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    length = math.hypot(*vector) or 1
    return [each / length for each in vector]


async def body_of(receive) -> dict:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return json.loads(body) if body else {}


async def send_json(send, value: dict, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def complete(asked: dict, receive, send) -> None:
    words = answer_to(asked["messages"])
    base = {"id": "chatcmpl-1", "created": int(time.time()), "model": asked["model"]}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return await send_json(send, base | {"object": "chat.completion", "choices": [choice]})

    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    gone = asyncio.create_task(receive())
    said = 0
    tell("begin", words=len(words))

    async def say(delta: dict, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        line = json.dumps(base | {"object": "chat.completion.chunk", "choices": [choice]})
        await send({"type": "http.response.body", "body": f"data: {line}\n\n".encode(), "more_body": True})

    for word in words:
        done, _ = await asyncio.wait([gone], timeout=PACE)
        if done:
            tell("hung up", said=said)
            return
        await say({"content": word})
        said += 1
    await say({}, "stop")
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
    gone.cancel()
    tell("end", said=said)


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path, asked = scope["path"], await body_of(receive)
    if path == "/v1/models":
        await send_json(send, {"object": "list", "data": [{"id": "counter", "object": "model", "owned_by": "tests"}]})
    elif path == "/v1/chat/completions":
        await complete(asked, receive, send)
    elif path == "/v1/embeddings":
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": embedding(text)} for index, text in enumerate(texts)
        ]
        await send_json(send, {"object": "list", "data": data, "model": asked["model"]})
    else:
        await send_json(send, {"error": {"message": f"no {path} here"}}, 404)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
