"""The sending client: what leaves, leaves once, and whether it left is known."""

from shared.http.client import SendingClient
from shared.http.errors import Lost, NotSent, SendingError, StartedTooLate
from shared.http.multipart import FilePart, multipart
from shared.http.request import Prepared
from shared.http.response import Response

__all__ = [
    "FilePart",
    "Lost",
    "NotSent",
    "Prepared",
    "Response",
    "SendingClient",
    "SendingError",
    "StartedTooLate",
    "multipart",
]
