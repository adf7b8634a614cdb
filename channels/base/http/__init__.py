"""The sending client: what leaves, leaves once, and whether it left is known."""

from channels.base.http.client import SendingClient
from channels.base.http.errors import Lost, NotSent, SendingError, StartedTooLate
from channels.base.http.multipart import FilePart, multipart
from channels.base.http.request import Prepared
from channels.base.http.response import Response

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
