"""An address as its owner knows it and nobody who looks over a shoulder learns it."""

_SHOWN = 3
"""Characters that are told at either end of a long one."""


def masked(address: str) -> str:
    """Return `305•••649` for a long address, and the last character alone of a short one."""
    if len(address) <= 2 * _SHOWN:
        return "•" * (len(address) - 1) + address[-1:]
    return f"{address[:_SHOWN]}•••{address[-_SHOWN:]}"
