"""A log whose rows were damaged: it is counted, told to the operator, and nothing is proven by it.

No right of the service's role and no trigger lets these rows change. So somebody with more rights
did it, or the disk; which is the operator's to find out (docs/ledger.md).
"""

from uuid import UUID

import structlog
from prometheus_client import Counter

from shared.problems import Problem

log = structlog.get_logger()

_DAMAGED = Counter(
    "permesso_consent_ledger_damaged_total", "Times that rows of a log did not fit together."
)


def note(brand_id: UUID, what: str) -> None:
    """Sound the alarm."""
    _DAMAGED.inc()
    log.error("ledger.damaged", brand=brand_id, reason=what)


def found(brand_id: UUID, what: str) -> Problem:
    """Sound the alarm, and return the answer to who asked for what cannot be proven any more.

    A final one between services, so that it is not asked for again and again.
    """
    note(brand_id, what)
    return Problem(
        409,
        "ledger_damaged",
        f"The rows of this log do not fit together: {what}. The operator has to look at it.",
    )
