"""What one person has said to one brand, as a page of a book: consent without a database.

Every answer is read off the list of what was said, in the order in which it arrived.
"""

from dataclasses import dataclass, field
from datetime import datetime

MARKETING = "marketing"
TOPIC = "marketing.news"
SERVICE = "service"
PURPOSES = (MARKETING, TOPIC, SERVICE)


@dataclass(frozen=True)
class Yes:
    """A grant that counted when it arrived."""

    purpose: str
    ends: datetime | None = None


@dataclass(frozen=True)
class No:
    """A revocation of these purposes; `at` by the clock of the platform, where it told one."""

    purposes: frozenset[str]
    at: datetime

    def covers(self, purpose: str) -> bool:
        """Does it stand against a yes to this purpose?"""
        return purpose in self.purposes or (purpose == TOPIC and MARKETING in self.purposes)


@dataclass
class Page:
    """One person on one account."""

    said: list[Yes | No] = field(default_factory=list)
    forgotten: list[No] = field(default_factory=list)
    """Noes of before an erasure: they stand against an older yes, and say nothing else."""

    def grant(self, purpose: str, *, at: datetime | None, ends: datetime | None = None) -> bool:
        """Say yes; return whether it counts: not where a no is as late as it, or later."""
        noes = self._noes(purpose)
        if at is not None and noes and at <= max(no.at for no in noes):
            return False
        self.said.append(Yes(purpose, ends))
        return True

    def list_in_file(self, purpose: str, *, now: datetime) -> bool:
        """Stand in a brand's file; a yes only for somebody who never said anything about it."""
        if self._noes(purpose) or self.answer(purpose, now=now) != "no_consent":
            return False
        self.said.append(Yes(purpose))
        return True

    def revoke(self, *purposes: str, at: datetime) -> None:
        """Say no: it holds from now on, whatever the clock of the platform says."""
        self.said.append(No(frozenset(purposes), at))

    def erase(self, *, at: datetime) -> None:
        """Be forgotten, but for every no there ever was and one to everything."""
        noes = [word for word in self.said if isinstance(word, No)]
        self.forgotten += [*noes, No(frozenset(PURPOSES), at)]
        self.said.clear()

    def answer(self, purpose: str, *, now: datetime) -> str:
        """Say whether a message may go, as the registry words it."""
        word = self._last_word(purpose)
        if word is None and purpose == TOPIC:
            word = self._last_word(MARKETING)
        match word:
            case None:
                return "no_consent"
            case No():
                return "revoked"
            case Yes(ends=ends):
                return "expired" if ends is not None and ends <= now else "granted"

    def _last_word(self, purpose: str) -> Yes | No | None:
        """Return what was last said about a purpose by its own name."""
        last: Yes | No | None = None
        for word in self.said:
            match word:
                case Yes(purpose=said) if said == purpose:
                    last = word
                case No(purposes=purposes) if purpose in purposes:
                    last = word
                case No() if word.covers(purpose) and not isinstance(last, No):
                    # A topic that was not refused by name follows all of marketing from now on.
                    last = None
        return last

    def _noes(self, purpose: str) -> list[No]:
        said = [word for word in self.said if isinstance(word, No)]
        return [no for no in (*self.forgotten, *said) if no.covers(purpose)]
