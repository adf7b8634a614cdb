"""What may go wrong with a request, told apart by the one question that matters: did a byte leave?

* SendingError
  + NotSent          surely nothing of the request left this process; a later try is safe
    - StartedTooLate the start deadline passed first
  + Lost             the request, or a part of it, may have arrived; nobody knows what became of it

Texts hold a stable code and nothing else: no URL, no header, no byte of a request or an answer.
"""


class SendingError(Exception):
    """A request without an answer."""

    def __init__(self, code: str) -> None:
        """Name what happened by a stable `code`."""
        super().__init__(code)
        self.code = code


class NotSent(SendingError):
    """Surely nothing of the request left this process.

    Codes: `forbidden_address`; `resolve_`, `connect_`, `tls_` each with `failed` and `timeout`;
    `connect_refused`, `tls_certificate`, `pool_timeout`, `connection_closed`, `client_closed`.
    """


class StartedTooLate(NotSent):
    """The start deadline passed before the first byte."""

    def __init__(self) -> None:
        """There is one reason only."""
        super().__init__("started_too_late")


class Lost(SendingError):
    """The write began, and no whole answer came.

    Codes: `answer_timeout`, `connection_reset`, `connection_closed` (before the answer began),
    `answer_cut` (within it), `answer_garbled`, `answer_too_large`.
    """

    def __init__(self, code: str, *, status: int | None = None) -> None:
        """Keep the answer's status, where its head was read in full."""
        super().__init__(code)
        self.status = status
