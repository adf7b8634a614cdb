"""What one person has said to one brand, as a page of a book: consent without a database.

A page is written line by line, in the order in which things arrived, and every answer is read off
it. `at` is when something was said by the clock of whoever told it; `now` is when it arrived.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

MARKETING = "marketing"
TOPIC = "marketing.news"
SERVICE = "service"
PURPOSES = (MARKETING, TOPIC, SERVICE)

FIRST, SECOND = ACCOUNTS = ("first", "second")
CHANNEL, BRAND = "channel", "brand"
"""How far a word reaches: an account by its name, all of the channel, all of the brand."""

TAP_WITHIN, WORDS_WITHIN = timedelta(days=7), timedelta(days=1)
"""How long a question waits for its button or a START, and for a plain "yes"."""
DECIDED_WITHIN = timedelta(hours=72)
"""When words that may have been a no are one, unless somebody decided."""


@dataclass(frozen=True)
class Yes:
    """A grant that counted when it arrived; one that is pending waits for its second half."""

    account: str
    purpose: str
    ends: datetime | None = None
    pending: bool = False

    def holds(self, now: datetime) -> bool:
        """Is it whole, and has not run out?"""
        return not self.pending and (self.ends is None or self.ends > now)


@dataclass(frozen=True)
class No:
    """A revocation. It stands wherever it reaches, and is told where the person was known."""

    purposes: frozenset[str]
    reach: str
    at: datetime
    told_on: frozenset[str] = frozenset()

    def covers(self, account: str, purpose: str) -> bool:
        """Does it stand against a yes to this purpose here?"""
        named = purpose in self.purposes or (purpose == TOPIC and MARKETING in self.purposes)
        return named and covers(self.reach, account)


@dataclass(frozen=True)
class Pause:
    """A time without marketing; one without an end waits for a decision on doubtful words."""

    reach: str
    said: datetime
    until: datetime | None
    account: str
    due: datetime
    """When it ends by itself, or becomes a no."""


class Question(NamedTuple):
    """A notice that was served: the how-manieth on this account, and when."""

    number: int
    asked: datetime


def covers(reach: str, account: str) -> bool:
    """Does what reaches so far hold on this account?"""
    return reach in (account, CHANNEL, BRAND)


@dataclass
class Page:
    """One person, on all accounts of a brand."""

    asks_twice: bool = False
    """Does a yes in the chat count only once the notice was answered?"""
    said: list[Yes | No] = field(default_factory=list)
    forgotten: list[No] = field(default_factory=list)
    """Noes of before an erasure: they stand against an older yes, and say nothing else."""
    known: set[str] = field(default_factory=set)
    blocked: dict[str, datetime] = field(default_factory=dict)
    pauses: dict[tuple[str, str], Pause] = field(default_factory=dict)
    """By kind and reach: one of each."""
    open: dict[str, Question] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 0))
    erased: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, 0))
    """How many questions were ever served on an account, and how many before an erasure."""

    # What the person says in the chat

    def talk(self, account: str) -> None:
        """Say something that decides nothing."""
        self.known.add(account)

    def start(self, account: str, *, at: datetime, now: datetime, link: bool = False) -> None:
        """Say START, or follow a link: ends pauses, answers a question, or is a yes of its own."""
        found = self._pauses_on(account)
        if any(pause.said >= at for pause in found.values()):
            return
        if found and self._holds(account, MARKETING, now):
            self._come_back(account)
            counts = True
        else:
            counts = self._say_yes(account, at=at, now=now, link=link)
        if counts:
            for key in found:
                del self.pauses[key]

    def open_bot(self, account: str, *, at: datetime, now: datetime) -> None:
        """Press a bare Start: agrees to service, and is asked about marketing."""
        self._grant(Yes(account, SERVICE), at=at, spoken=True)
        self._ask(account, now)

    def stop(self, account: str, *, at: datetime) -> None:
        """Say STOP: no marketing on the whole channel from now on, whatever the clock says."""
        self._refuse(account, CHANNEL, {MARKETING}, at=at)

    def say_yes(self, account: str, *, at: datetime, now: datetime) -> None:
        """Answer a question in plain words; without one it is talk."""
        if self._waiting(account, at=at, now=now, within=WORDS_WITHIN):
            self._confirm(account, at=at)
        else:
            self.talk(account)

    def say_no(self, account: str, *, at: datetime, now: datetime) -> None:
        """The same with a no."""
        if self._waiting(account, at=at, now=now, within=WORDS_WITHIN):
            self._refuse(account, account, {MARKETING}, at=at)
        else:
            self.talk(account)

    def tap_yes(self, account: str, number: int, *, now: datetime) -> None:
        """Tap the yes below a question; below any but the one that waits, be asked once more."""
        waiting = self._waiting(account, at=now, now=now, within=TAP_WITHIN)
        if waiting and waiting.number == number:
            self._confirm(account, at=now)
        elif not waiting and not self._reachable(account, now):
            self._ask(account, now)

    def tap_no(self, account: str, number: int, *, now: datetime) -> None:
        """Tap the no below a question: always counts, but for a question to somebody erased."""
        if number < self.erased[account]:
            self.talk(account)
        else:
            self._refuse(account, account, {MARKETING}, at=now)

    def doubt(self, account: str, *, at: datetime, now: datetime) -> None:
        """Say what may have been a no: silent at once, where there is anything to silence."""
        in_doubt = any(kind == "doubtful" for kind, _ in self._pauses_on(account))
        if not in_doubt and any(
            self._holds(each, purpose, now) for each in ACCOUNTS for purpose in (MARKETING, TOPIC)
        ):
            due = now + DECIDED_WITHIN
            self.pauses["doubtful", CHANNEL] = Pause(CHANNEL, at, None, account, due)
        self.talk(account)

    # What the platform, the brand and time do

    def block(self, account: str, *, at: datetime) -> None:
        """Block the account: out of reach, and a no there."""
        self.blocked[account] = max(at, self.blocked.get(account, at))
        self._refuse(account, account, {MARKETING}, at=at, ends_pauses=False)

    def unblock(self, account: str, *, at: datetime) -> None:
        """Be in reach again, which is no yes."""
        if account not in self.blocked or self.blocked[account] < at:
            self._come_back(account)

    def agree(self, account: str, purpose: str, *, ends: datetime | None = None) -> None:
        """Agree by the brand's own evidence: counts at once."""
        self._grant(Yes(account, purpose, ends), at=None, spoken=False)

    def refuse(self, account: str, purpose: str, scope: str, *, at: datetime) -> None:
        """Refuse by the brand's own record; wider than a purpose, it takes all of marketing."""
        reach = scope if scope in (CHANNEL, BRAND) else account
        wide = {MARKETING, SERVICE} & {MARKETING, purpose}
        self._refuse(account, reach, {purpose} if scope == "purpose" else wide, at=at)

    def pause(self, account: str, reach: str, *, at: datetime, until: datetime) -> None:
        """Ask for a pause; another one can only make it longer."""
        self.talk(account)
        found = self._pauses_on(account).values()
        until = max([until, *(pause.until for pause in found if pause.until is not None)])
        before = self.pauses.get(("asked", reach))
        said = at if before is None else max(at, before.said)
        self.pauses["asked", reach] = Pause(reach, said, until, account, until)

    def list_in_file(self, account: str, purpose: str, *, now: datetime) -> None:
        """Stand in a brand's file; a yes only for somebody who never said anything about it."""
        word = self._deciding_word(account, purpose)
        unsaid = word is None or (isinstance(word, Yes) and word.pending)
        if unsaid and account not in self.blocked and not self._noes(account, purpose):
            self.known.add(account)
            self.said.append(Yes(account, purpose))

    def erase(self, *, at: datetime) -> None:
        """Be forgotten, but for every no there ever was and one to everything."""
        noes = [word for word in self.said if isinstance(word, No)]
        self.forgotten += [*noes, No(frozenset(PURPOSES), BRAND, at)]
        for page in (self.said, self.known, self.blocked, self.pauses, self.open):
            page.clear()
        self.erased.update(self.asked)

    def pass_time(self, *, now: datetime) -> None:
        """Let end what has ended, and be a no what nobody decided."""
        due = [key for key, pause in self.pauses.items() if pause.due <= now]
        for pause in [self.pauses.pop(key) for key in due]:
            if pause.until is None:
                self._refuse(pause.account, CHANNEL, {MARKETING}, at=now)

    # What is read off the page

    def answer(self, account: str, purpose: str, *, now: datetime) -> str:
        """Say whether a message may go, as the registry words it."""
        match word := self._deciding_word(account, purpose):
            case None:
                return "no_consent"
            case _ if account in self.blocked:
                return "blocked"
            case No():
                return "revoked"
            case Yes(pending=True):
                return "pending"
            case Yes() if not word.holds(now):
                return "expired"
        return "paused" if purpose != SERVICE and self._pauses_on(account) else "granted"

    def _deciding_word(self, account: str, purpose: str) -> Yes | No | None:
        """Return the last word on a purpose; on a topic without one, the last on all marketing."""
        word = self._last_word(account, purpose)
        return self._last_word(account, MARKETING) if word is None and purpose == TOPIC else word

    def _last_word(self, account: str, purpose: str) -> Yes | No | None:
        """Return what was last said about a purpose by its own name."""
        last: Yes | No | None = None
        for word in self.said:
            match word:
                case Yes(account=where, purpose=what) if (where, what) == (account, purpose):
                    last = word
                case No(told_on=told_on) if account not in told_on:
                    pass
                case No(purposes=purposes) if purpose in purposes:
                    last = word
                case No() if word.covers(account, purpose) and not isinstance(last, No):
                    # A topic that was not refused by name follows all of marketing from now on.
                    last = None
        return last

    def _noes(self, account: str, purpose: str) -> list[No]:
        said = [word for word in self.said if isinstance(word, No)]
        return [no for no in (*self.forgotten, *said) if no.covers(account, purpose)]

    def _holds(self, account: str, purpose: str, now: datetime) -> bool:
        word = self._last_word(account, purpose)
        return isinstance(word, Yes) and word.holds(now)

    def _reachable(self, account: str, now: datetime) -> bool:
        return self._holds(account, MARKETING, now) and account not in self.blocked

    def _pauses_on(self, account: str) -> dict[tuple[str, str], Pause]:
        return {key: pause for key, pause in self.pauses.items() if covers(pause.reach, account)}

    def _waiting(
        self, account: str, *, at: datetime, now: datetime, within: timedelta
    ) -> Question | None:
        """Return the question that this can be an answer to; platforms tell whole seconds."""
        question = self.open.get(account)
        if question is None or now - question.asked > within:
            return None
        return question if at >= question.asked.replace(microsecond=0) else None

    # What is written on it

    def _say_yes(self, account: str, *, at: datetime, now: datetime, link: bool) -> bool:
        """Say yes to marketing in the chat; return whether anything came of it."""
        if not link and self._waiting(account, at=at, now=now, within=TAP_WITHIN):
            return self._confirm(account, at=at)
        if not self.asks_twice:
            return self._grant(Yes(account, MARKETING), at=at, spoken=True)
        if self._reachable(account, now):
            return False
        counts = self._grant(Yes(account, MARKETING, pending=True), at=at, spoken=True)
        if counts:
            self._ask(account, now)
        return counts

    def _confirm(self, account: str, *, at: datetime) -> bool:
        del self.open[account]
        return self._grant(Yes(account, MARKETING), at=at, spoken=True)

    def _grant(self, yes: Yes, *, at: datetime | None, spoken: bool) -> bool:
        """Write a yes down, unless a no is as late as it, or later."""
        self.known.add(yes.account)
        noes = self._noes(yes.account, yes.purpose)
        if at is not None and noes and at <= max(no.at for no in noes):
            return False
        if spoken:
            self._come_back(yes.account)
        self.said.append(yes)
        return True

    def _come_back(self, account: str) -> None:
        self.known.add(account)
        self.blocked.pop(account, None)

    def _ask(self, account: str, now: datetime) -> None:
        self.open[account] = Question(self.asked[account], now)
        self.asked[account] += 1

    def _refuse(
        self,
        account: str,
        reach: str,
        purposes: set[str],
        *,
        at: datetime,
        ends_pauses: bool = True,
    ) -> None:
        """Write a no down: it takes the place of questions and pauses that it covers."""
        self.known.add(account)
        told_on = frozenset(each for each in self.known if covers(reach, each))
        self.said.append(No(frozenset(purposes), reach, at, told_on))
        if MARKETING not in purposes:
            return
        for each in [each for each in self.open if covers(reach, each)]:
            del self.open[each]
        for key in [key for key in self.pauses if ends_pauses and _within(key[1], reach)]:
            del self.pauses[key]


def _within(pause: str, no: str) -> bool:
    """Does a pause reach no farther than a no?"""
    return no == BRAND or pause == no or (no == CHANNEL and pause != BRAND)
