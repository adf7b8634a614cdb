"""A proof's report for people: what happened, what proves it, what does not fit."""

from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.ledger.verify_proof import Report

_TITLES = {"message": "The message (stated by the house)", "proof": "The consent"}


def show(report: Report) -> None:
    """Print the report; texts of the file are shown as they are, never as markup."""
    console = Console(highlight=False)
    for part, facts in groupby(report.facts, key=lambda fact: fact.part.removesuffix("/proof")):
        table = Table(title=Text(_title(part)), title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(no_wrap=True)
        for fact in facts:
            table.add_row(
                Text(fact.name, style="dim"),
                Text(fact.value),
                Text("✓ in the signed log" if fact.signed else "", style="green"),
            )
        console.print(table)
        console.print()
    for finding in report.findings:
        console.print(Text(f"✗ {finding.where}: {finding.text}", style="bold red"), soft_wrap=True)
    if report.findings:
        console.print(Text("NOT PROVEN: do not rely on this document.", style="bold red"))
    else:
        console.print(Text(f"VERIFIED: the {report.kind} proof holds.", style="bold green"))


def _title(part: str) -> str:
    if part.startswith("consents/"):
        number = int(part.split("/")[1])
        return "The consent it rests on" if number == 0 else f"What that consent names ({number})"
    return _TITLES.get(part, part)
