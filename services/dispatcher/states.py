"""The life of a message. Pure.

queued ─claim→ claimed ─intent→ sending ─settle→ sent → delivered → read
   │              │                ├→ queued     the next part, or surely not taken: try again
   │              │                ├→ refused    it will never be taken
   │              │                ├→ unknown    it may have been taken; never tried again
   │              │                └→ partial    some parts were taken, the rest never will be
   ├→ cancelled ──┤  the person or the brand said stop
   └→ withheld  ──┘  consent, deadline: we chose not to send

unknown and partial are ends, but the truth may still come: a late settlement or a receipt.
"""

from shared.contracts.messages import MessageStatus as Status

__all__ = ["LIVE", "NEXT", "Status"]

NEXT: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.CLAIMED, Status.CANCELLED, Status.WITHHELD, Status.PARTIAL}),
    Status.CLAIMED: frozenset(
        {Status.QUEUED, Status.SENDING, Status.CANCELLED, Status.WITHHELD, Status.PARTIAL}
    ),
    Status.SENDING: frozenset(
        {Status.QUEUED, Status.SENT, Status.REFUSED, Status.UNKNOWN, Status.PARTIAL}
    ),
    Status.UNKNOWN: frozenset(
        {Status.QUEUED, Status.SENT, Status.DELIVERED, Status.READ, Status.REFUSED, Status.PARTIAL}
    ),
    Status.SENT: frozenset({Status.DELIVERED, Status.READ, Status.REFUSED}),
    Status.DELIVERED: frozenset({Status.READ}),
    Status.PARTIAL: frozenset({Status.QUEUED, Status.SENT, Status.DELIVERED, Status.READ}),
    Status.READ: frozenset(),
    Status.REFUSED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.WITHHELD: frozenset(),
}

LIVE = frozenset({Status.QUEUED, Status.CLAIMED, Status.SENDING})
"""A campaign with none of these, once expanded, has finished."""
