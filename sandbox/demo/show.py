"""What the terminal shows: progress, totals, and one phone on which somebody says stop."""

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sandbox.demo.campaign import ENDED, LIVE, Progress

GREEN = {"sent", "delivered", "read"}


def screen(progress: Progress) -> RenderableType:
    """Return the whole picture of one moment."""
    body: list[RenderableType] = [_head(progress), _bar(progress), _totals(progress)]
    if progress.stopped:
        body.append(_phone(progress))
    title = "[bold]The main job: a story goes to people who said yes[/bold]"
    return Panel(Group(*body), title=title, border_style="cyan", padding=(1, 2))


def verdict(console: Console, progress: Progress) -> bool:
    """Print what was shown, as claims that were checked; return whether all of them hold."""
    totals = progress.totals
    checks = [
        (progress.adds_up, f"Totals add up: {_sum(progress)} = {totals['accepted']} accepted."),
        (
            totals["accepted"] == progress.preflight["eligible"],
            f"Everybody who agreed is accounted for: {progress.preflight['eligible']} people.",
        ),
        (totals["unknown"] == 0, "No message is in doubt."),
    ]
    if progress.stopped:
        after = [m for m in progress.phone[progress.before :] if m["by"] != "person"]
        seconds = progress.confirmed_after
        took = "never" if seconds is None else f"after {seconds:.2f} s"
        checks += [
            (seconds is not None, f"Who said stop got a confirmation {took}."),
            (len(after) == 1, "…and nothing else after it."),
        ]
    for holds, claim in checks:
        console.print(f"  [green]✓[/green] {claim}" if holds else f"  [red]✗ {claim}[/red]")
    return all(holds for holds, _ in checks)


def line(progress: Progress) -> str:
    """Return one moment as one line, for a terminal that cannot be redrawn."""
    totals = progress.totals
    counts = ", ".join(f"{name} {totals[name]}" for name in (*ENDED, *LIVE) if totals[name])
    return f"{progress.campaign['status']}: {counts or 'nothing yet'} of {totals['accepted']}"


def _head(progress: Progress) -> RenderableType:
    campaign = progress.campaign
    excluded = progress.preflight["excluded"]
    words = Text()
    words.append("Caffè Aurora", style="bold")
    words.append(f"  ·  {campaign['name']}  ·  Telegram  ·  ")
    words.append(campaign["status"], style="bold green")
    words.append(f"\n{progress.preflight['eligible']} people have agreed")
    if excluded:
        reasons = ", ".join(f"{count} {reason}" for reason, count in excluded.items())
        words.append(f"; not written to: {reasons}", style="dim")
    return words


def _bar(progress: Progress) -> RenderableType:
    total = max(progress.totals["accepted"], progress.preflight["eligible"], 1)
    row = Table.grid(expand=True, padding=(1, 0))
    row.add_column(ratio=1)
    row.add_column(justify="right", width=12)
    bar = ProgressBar(total=total, completed=progress.done, complete_style="green")
    row.add_row(bar, f"{progress.done} / {total}")
    return row


def _totals(progress: Progress) -> RenderableType:
    totals = progress.totals
    shown = ["accepted", "queued", "claimed", "sending", "sent", "cancelled", "refused", "unknown"]
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in [*shown, "withheld"]:
        table.add_column(name, justify="right", style="green" if name in GREEN else None)
    withheld = sum(totals["withheld"].values())
    table.add_row(*(str(totals[name]) for name in shown), str(withheld))
    return table


def _phone(progress: Progress) -> RenderableType:
    lines: list[Any] = []
    for message in progress.phone[max(0, progress.before - 1) :][-6:]:
        mine = message["by"] == "person"
        said = message["text"] or f"({message['kind']})"
        text = Text(said, style="bold" if mine else "", justify="right" if mine else "left")
        lines.append(text)
    if progress.confirmed_after is not None:
        lines.append(
            Text(f"in force and confirmed in {progress.confirmed_after:.2f} s", "dim green")
        )
    return Panel(
        Group(*lines) if lines else Text("…"),
        title=f"phone {progress.stopped}: says stop while the campaign runs",
        border_style="magenta",
        width=64,
    )


def _sum(progress: Progress) -> str:
    totals = progress.totals
    named = [(name, totals[name]) for name in ENDED] + list(totals["withheld"].items())
    return " + ".join(f"{count} {name}" for name, count in named if count) or "0"
