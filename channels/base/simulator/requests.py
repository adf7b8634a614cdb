"""Reading requests and writing answers, by hand: the load runs go through here."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

Headers = Iterable[tuple[bytes, bytes]]
JSON_TYPE = (b"content-type", b"application/json")


class BodyTooLarge(Exception):
    """The body is larger than the platform takes."""


class ClientGone(Exception):
    """The caller hung up before the request was complete."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form."""

    name: str
    mime: str
    data: bytes


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the whole body, of at most `limit` bytes."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise BodyTooLarge
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value (name in lower case), or nothing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def first_byte_ns(scope: Scope) -> int:
    """Return CLOCK_MONOTONIC at the request's first byte; under a foreign server, at this call."""
    state: dict[str, Any] = scope.get("state") or {}
    return int(state.get("first_byte_ns") or time.monotonic_ns())


async def answer(send: Send, status: int, body: bytes, headers: Headers = (JSON_TYPE,)) -> None:
    """Send a complete answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: object, headers: Headers = ()) -> None:
    """Send a value as JSON."""
    await answer(send, status, orjson.dumps(value), (JSON_TYPE, *headers))


async def lose_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Hang up without an answer; under a foreign server, break the answer off after its head."""
    hang_up = (scope.get("state") or {}).get("hang_up")
    if hang_up is None:
        promised = [(b"content-length", b"65536")]
        await send({"type": "http.response.start", "status": 200, "headers": promised})
        return
    hang_up()
    # The server wants an answer from whoever still has a caller: wait until it has none.
    async with asyncio.timeout(5):
        while (await receive())["type"] != "http.disconnect":
            continue


def multipart(body: bytes, content_type: str) -> tuple[dict[str, str], dict[str, Upload]]:
    """Split a multipart form into its fields and its files; raise ValueError when it is broken."""
    boundary = _parameter(content_type, "boundary")
    if not boundary:
        raise ValueError("a multipart body needs a boundary")
    mark = b"--" + boundary.encode("latin-1")
    fields: dict[str, str] = {}
    files: dict[str, Upload] = {}
    start = body.find(mark)
    while start >= 0:
        start += len(mark)
        if body.startswith(b"--", start):
            return fields, files
        end = body.find(b"\r\n" + mark, start)
        head_end = body.find(b"\r\n\r\n", start)
        if end < 0 or head_end < 0 or head_end > end:
            break
        _part(body[start + 2 : head_end], body[head_end + 4 : end], fields, files)
        start = end + 2
    raise ValueError("the multipart body ends too early")


def _part(head: bytes, data: bytes, fields: dict[str, str], files: dict[str, Upload]) -> None:
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    field = _parameter(disposition, "name")
    if field is None:
        raise ValueError("a part of the multipart body has no name")
    filename = _parameter(disposition, "filename")
    if filename is None:
        fields[field] = data.decode("utf-8")
    else:
        mime = headers.get("content-type", "application/octet-stream")
        files[field] = Upload(filename, mime, data)


def _parameter(value: str, name: str) -> str | None:
    """Return a parameter of a header's value, quoted or not, or written by RFC 2231."""
    message = Message()
    message["content-disposition"] = value
    found = message.get_param(name, header="content-disposition")
    if isinstance(found, tuple):
        return found[2]
    return found
