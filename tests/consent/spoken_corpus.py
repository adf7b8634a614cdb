"""The labelled corpus: what people write to brands, in all our languages.

`corpus/own` is what the tables were tuned with, and later `corpus/foreign`, written by somebody who
did not know them; `corpus/blind` is what they have not seen. `corpus/answers` is what people reply
to a question of ours.
Every sentence was written for this corpus.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

PARTS = ("own",)
LABELS = ("stop", "doubtful", "start", "help", "pause", "talk")
ANSWERS = ("yes", "no", "neither")
_FOLDER = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Said:
    """A phrase, and what the person meant by it."""

    part: str
    language: str
    label: str
    text: str


@cache
def corpus() -> tuple[Said, ...]:
    """Return all phrases."""
    return tuple(said for part in PARTS for said in _part(part))


@cache
def foreign() -> tuple[Said, ...]:
    """Return the phrases of another hand, which are tuned for since."""
    return tuple(_part("foreign"))


@cache
def blind() -> tuple[Said, ...]:
    """Return the phrases that no table was tuned with."""
    return tuple(_part("blind"))


def _part(part: str) -> list[Said]:
    files = sorted((_FOLDER / part).glob("*.txt"))
    return [said for file in files for said in _phrases(part, file)]


def _phrases(part: str, file: Path) -> list[Said]:
    label, found = "", []
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("["):
            label = line.strip("[]")
            assert label in (*LABELS, *ANSWERS), (file, line)
        elif line:
            found.append(Said(part, file.stem, label, line))
    return found


@cache
def answers() -> tuple[Said, ...]:
    """Return what people say when we have asked them, and what looks like an answer and is none."""
    return tuple(
        said
        for file in sorted((_FOLDER / "answers").glob("*.txt"))
        for said in _phrases("answers", file)
    )
