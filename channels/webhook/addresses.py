"""How a person's address is spelled on this channel: as the brand's own system spells it."""


def normalise(address: str) -> str:
    """Return the address without space around it; what is inside is the brand's own."""
    trimmed = address.strip()
    if not 1 <= len(trimmed) <= 256:
        raise ValueError("an address on this channel has 1 to 256 characters")
    if not trimmed.isprintable():
        raise ValueError("an address is one line of printable characters")
    return trimmed
