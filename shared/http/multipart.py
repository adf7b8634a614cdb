"""Bodies with files in them: multipart/form-data (RFC 7578)."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a form."""

    field: str
    name: str
    data: bytes
    mime: str = "application/octet-stream"


def multipart(fields: Mapping[str, str], files: Iterable[FilePart]) -> tuple[list[bytes], str]:
    """Return the body in pieces, the files' bytes not copied, and its content type."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, value in fields.items():
        pieces.append(
            _head(boundary, f'name="{name.translate(_ESCAPES)}"') + value.encode() + b"\r\n"
        )
    for file in files:
        names = (
            f'name="{file.field.translate(_ESCAPES)}"; filename="{file.name.translate(_ESCAPES)}"'
        )
        pieces += [_head(boundary, names, mime=file.mime), file.data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return pieces, f"multipart/form-data; boundary={boundary}"


def _head(boundary: str, names: str, *, mime: str | None = None) -> bytes:
    if mime is not None and not (mime.isascii() and mime.isprintable()):
        raise ValueError("a content type is printable ASCII")
    kind = f"Content-Type: {mime}\r\n" if mime is not None else ""
    return f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n{kind}\r\n".encode()
