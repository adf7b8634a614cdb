"""A request's bytes, made once for all requests that differ in their body only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.security.addresses import Target, split_url

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t -~\x80-\xff]*\Z")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_LENGTH = b"Content-Length: "
_DEFAULTS = {"User-Agent": "Permesso", "Accept-Encoding": "identity"}


class Origin(NamedTuple):
    """What connections are shared by; a tuple, as it is looked up once per request."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A request but for its body. Its path may hold a token, so it shows nothing of itself."""

    origin: Origin
    head: bytes
    """The request line and the headers, up to where the body's length follows."""

    def plus(self, headers: Mapping[str, str]) -> "Prepared":
        """Return the same request with headers of one body's own, as a signature."""
        lines = "".join(f"{_token(name)}: {_header_value(v)}\r\n" for name, v in headers.items())
        return self.plus_lines(lines.encode("latin-1"))

    def plus_lines(self, lines: bytes) -> "Prepared":
        """Return the same request with these lines of headers, each with its CRLF, as they are."""
        return Prepared(self.origin, self.head[: -len(_LENGTH)] + lines + _LENGTH)


def prepare(url: str, headers: Mapping[str, str], *, method: str = "POST") -> Prepared:
    """Build the head of a request; raise ValueError for what must not stand in one.

    `ForbiddenAddress` says that the URL cannot be read in only one way.
    """
    target = split_url(url)
    lines = [f"{_token(method)} {target.path} HTTP/1.1", f"Host: {target.authority}"]
    given = {name.lower() for name in headers}
    if given & _OURS:
        raise ValueError("host, length and connection are the client's own headers")
    lines += [f"{name}: {value}" for name, value in _DEFAULTS.items() if name.lower() not in given]
    lines += [f"{_token(name)}: {_header_value(value)}" for name, value in headers.items()]
    head = "\r\n".join([*lines, ""])
    return Prepared(_origin(target), head.encode("latin-1") + _LENGTH)


def _origin(target: Target) -> Origin:
    return Origin(target.scheme, target.host, target.port)


def _token(text: str) -> str:
    if not _TOKEN.match(text):
        raise ValueError("this is not a name that HTTP allows")
    return text


def _header_value(value: str) -> str:
    if not _VALUE.match(value):
        raise ValueError("a header's value is one line of Latin-1")
    return value
