"""A dispatcher whose halt does not wait for what is in flight: the checkers have to notice."""

from services.dispatcher import halt


def mutate() -> None:
    """Break it, in the process that calls this."""

    async def _do_not_wait(*_: object) -> bool:
        return True

    halt._wait = _do_not_wait  # type: ignore[assignment]
