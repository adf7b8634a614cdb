"""The labelled corpus: what people write to brands, in all our languages.

`corpus/held` was written before anything was tuned, and nothing was tuned on it phrase by phrase;
`corpus/tuned` is what the tables were tuned with; `corpus/answers` is what they reply to a question
of ours. Every sentence is our own.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

HALVES = ("held", "tuned")
LABELS = ("stop", "doubtful", "start", "help", "pause", "talk")
ANSWERS = ("yes", "no", "neither")
_FOLDER = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Said:
    """A phrase, and what the person meant by it."""

    half: str
    language: str
    label: str
    text: str


@cache
def corpus() -> tuple[Said, ...]:
    """Return all phrases."""
    return tuple(
        said
        for half in HALVES
        for file in sorted((_FOLDER / half).glob("*.txt"))
        for said in _phrases(half, file)
    )


def _phrases(half: str, file: Path) -> list[Said]:
    label, found = "", []
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("["):
            label = line.strip("[]")
            assert label in (*LABELS, *ANSWERS), (file, line)
        elif line:
            found.append(Said(half, file.stem, label, line))
    return found


@cache
def answers() -> tuple[Said, ...]:
    """Return what people say when we have asked them, and what looks like an answer and is none."""
    return tuple(
        said
        for file in sorted((_FOLDER / "answers").glob("*.txt"))
        for said in _phrases("answers", file)
    )
