"""An answer, read in full."""

from collections.abc import Iterable


class Response:
    """Status, headers and body as they came; a 3xx is an answer like any other."""

    __slots__ = ("_headers", "body", "cut", "status")

    def __init__(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, *, cut: bool = False
    ) -> None:
        """Take what the connection read; `cut` says that a long body was not read to its end."""
        self.status = status
        self._headers = headers
        self.body = body
        self.cut = cut

    def header(self, name: str) -> str | None:
        """Return the first header of this name, in any spelling."""
        wanted = name.lower().encode("latin-1")
        for given, value in self._headers:
            if given.lower() == wanted:
                return value.decode("latin-1")
        return None

    @property
    def headers(self) -> dict[str, str]:
        """Return all headers by their names in lower case; of several equal ones the last."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers
        }
