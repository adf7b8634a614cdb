"""What is behind the two buttons below a question: who asks writes it, who hears reads it."""

import re
from typing import Literal
from uuid import UUID

from shared.contracts.consent import Question
from shared.contracts.stories import Choice

YES = "permesso:yes:"
NO = "permesso:no:"
"""Before the id of the question, in hexadecimal: 45 bytes at most."""
_ANSWER = re.compile(r"permesso:(yes|no):([0-9a-f]{32})\Z")


def below(question: Question | None) -> tuple[Choice, ...]:
    """Return the buttons below a question; none where nothing is asked."""
    if question is None:
        return ()
    return (
        Choice(label=question.yes, data=f"{YES}{question.id.hex}"),
        Choice(label=question.no, data=f"{NO}{question.id.hex}"),
    )


def answered(data: str) -> tuple[Literal["yes", "no"], UUID] | None:
    """Return what a tapped button answers, and to which question; None for any other button."""
    found = _ANSWER.match(data)
    if found is None:
        return None
    return "yes" if found[1] == "yes" else "no", UUID(found[2])
