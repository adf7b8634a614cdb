"""Show the main job on a running house: `python -m sandbox.demo --run-json DIR/run.json`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.live import Live

from sandbox.demo import brand, campaign, show
from sandbox.demo.house import Addresses, DemoStopped, House


def main(
    run_json: Annotated[Path, typer.Option(help="The facts of a running house.")],
    quiet: Annotated[bool, typer.Option(help="Only do it; print one line.")] = False,
) -> None:
    """Make the demo brand where there is none, and send its story."""
    console = Console(stderr=False, quiet=False)
    try:
        holds = asyncio.run(_show(Addresses.read(run_json), console, quiet=quiet))
    except (DemoStopped, httpx.HTTPError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        console.print(f"[red]The demo could not go on:[/red] {reason}")
        sys.exit(1)
    sys.exit(0 if holds else 1)


async def _show(addresses: Addresses, console: Console, *, quiet: bool) -> bool:
    house = House(addresses)
    try:
        with console.status("Caffè Aurora opens: sixty people press Start on the brand's link…"):
            made = await brand.find_or_make(house)
            people = await brand.gather_people(house, made)
        last = await _watch(house, made, people, console, quiet=quiet)
    finally:
        await house.close()
    if quiet:
        console.print(show.line(last))
        return last.adds_up
    return show.verdict(console, last)


async def _watch(
    house: House, made: brand.Brand, people: list[str], console: Console, *, quiet: bool
) -> campaign.Progress:
    """Redraw where the terminal can; print a line per change where it cannot."""
    moments = campaign.run(house, made, people)
    progress = await anext(moments)
    if quiet or not console.is_terminal:
        shown = ""
        async for progress in moments:
            if not quiet and (now := show.line(progress)) != shown:
                console.print(now)
                shown = now
        return progress
    with Live(show.screen(progress), console=console, refresh_per_second=12) as live:
        async for progress in moments:
            live.update(show.screen(progress))
    return progress


if __name__ == "__main__":
    typer.run(main)
