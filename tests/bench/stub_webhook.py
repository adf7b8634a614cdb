"""A brand's own system that says yes at once, and can tell afterwards who signed.

The stub of Telegram, that also keeps what was posted. A GET of /signed answers how many ids there
were, and how many posts bear a signature that is right for their id, their time and their body.
`python -m tests.bench.stub_webhook --port 0` prints one JSON line with its port.
"""

import base64
import hashlib
import hmac
import json

from tests.bench.brand import WEBHOOK_SECRET
from tests.bench.stub import Counter, StubConnection, main

_KEY = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
_Post = tuple[bytes, bytes, bytes, bytes]
"""Id, time, signature, body."""


class Kept(Counter):
    """The posts since the last reset."""

    def __init__(self) -> None:
        super().__init__()
        self._posts: list[_Post] = []

    def keep(self, headers: dict[bytes, bytes], body: bytes) -> None:
        """Keep one post; who does not sign has no id."""
        self._posts.append(
            (
                headers.get(b"webhook-id", b""),
                headers.get(b"webhook-timestamp", b""),
                headers.get(b"webhook-signature", b""),
                body,
            )
        )

    def reset(self) -> None:
        """Count and keep anew."""
        super().reset()
        self._posts = []

    def signed(self) -> dict[str, float]:
        """Count ids, and signatures that are right."""
        return {
            "ids": len({post[0] for post in self._posts if post[0]}),
            "signed": sum(_is_right(*post) for post in self._posts),
            "body_bytes": sum(len(post[3]) for post in self._posts) / max(1, len(self._posts)),
        }


class WebhookConnection(StubConnection):
    """One client whose headers and bodies are kept."""

    def __init__(self, counter: Kept) -> None:
        super().__init__(counter)
        self._kept = counter
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_post(self) -> None:
        self._kept.keep(self._headers, b"".join(self._body))
        self._headers, self._body = {}, []

    def answer_to(self, path: bytes) -> bytes:
        self._headers, self._body = {}, []
        if path == b"/signed":
            return json.dumps(self._kept.signed()).encode()
        return super().answer_to(path)


def _is_right(message_id: bytes, at: bytes, signature: bytes, body: bytes) -> bool:
    digest = hmac.digest(_KEY, b"%b.%b.%b" % (message_id, at, body), hashlib.sha256)
    return b"v1," + base64.b64encode(digest) in signature.split()


if __name__ == "__main__":
    main(Kept(), WebhookConnection)
