"""Whatever is said, in whatever order it arrives: the registry agrees with a model of a page."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.consent import Evidence, Scope
from shared.ids import new_id
from tests.consent.consent_house import House

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = ("bot", "bot2")
PURPOSES = ("marketing", "marketing.news", "marketing.sales", "measuring", "service")
NEVER = -1
"""Minutes of a time that is told are at least 0; a time that is not told is after all of them."""
NOW = 10_000

DOUBTFUL = "maybe I should unsubscribe"

ADDRESSES = (f"model-{n}" for n in count())


@dataclass(frozen=True, eq=False)
class Said:
    action: str
    account: str
    purpose: str
    scope: Scope
    minute: int | None
    chat: bool


@dataclass
class Model:
    """What was said so far, in the ledger's order; every answer is read off the whole list.

    Pauses that hold are kept beside it: (asked or doubtful, how far) → the minute they were said.
    """

    said: list[Said] = field(default_factory=list)
    pauses: dict[tuple[str, str], int] = field(default_factory=dict)

    def hear(self, said: Said) -> str:
        match said.action:
            case "pause" | "doubt":
                return self._pause(said)
            case "resume":
                ended = self._end_earlier(said)
                goes_on = ended and self._status(said.account, "marketing") == "granted"
                return "granted" if goes_on else "unchanged"
            case "grant" if said.chat and said.purpose == "marketing":
                return self._start(said)
            case _:
                return self._hear(said)

    def _hear(self, said: Said) -> str:
        counts = self._counts(said)
        if counts:
            self.said.append(said)
        if said.action == "grant":
            return "granted" if counts else "unchanged"
        if said.action == "revoke" and (said.scope is not Scope.PURPOSE or _is_marketing(said)):
            for key in [key for key in self.pauses if _is_covered(key[1], said)]:
                del self.pauses[key]
        return "revoked" if said.action in ("revoke", "block") else "unchanged"

    def _pause(self, said: Said) -> str:
        key = ("doubtful", "channel") if said.action == "doubt" else ("asked", _reach(said))
        if said.action == "doubt" and (key in self.pauses or not self._any_granted()):
            return "unchanged"
        self.pauses[key] = max(_minute(said), self.pauses.get(key, NEVER))
        return "paused"

    def _start(self, said: Said) -> str:
        """A START ends all pauses or, where one of them is later, does nothing."""
        if self._later_ones(said):
            return "unchanged"
        if self._covering(said.account) and self._status(said.account, "marketing") == "granted":
            self.said.append(said)
            self._end_earlier(said)
            return "granted"
        outcome = self._hear(said)
        if outcome == "granted":
            self._end_earlier(said)
        return outcome

    def _covering(self, account: str) -> list[tuple[str, str]]:
        return [key for key in self.pauses if key[1] in (account, "channel", "brand")]

    def _later_ones(self, said: Said) -> list[int]:
        minutes = [self.pauses[key] for key in self._covering(said.account)]
        return [] if said.minute is None else [m for m in minutes if m >= said.minute]

    def _end_earlier(self, said: Said) -> bool:
        later = self._later_ones(said)
        ended = [key for key in self._covering(said.account) if self.pauses[key] not in later]
        for key in ended:
            del self.pauses[key]
        return bool(ended)

    def _any_granted(self) -> bool:
        return any(
            self._status(account, purpose) == "granted"
            for account in ACCOUNTS
            for purpose in PURPOSES
            if purpose != "service"
        )

    def answer(self, account: str, purpose: str) -> str:
        status = self._status(account, purpose)
        if status != "no_consent" and self._blocked(account):
            return "blocked"
        paused = purpose != "service" and bool(self._covering(account))
        return "paused" if status == "granted" and paused else status

    def _counts(self, said: Said) -> bool:
        if said.action == "grant":
            noes = [no for no in self.said if self._takes(no, said.account, said.purpose)]
            if said.purpose.startswith("marketing."):
                noes += [no for no in self.said if self._takes(no, said.account, "marketing")]
            return said.minute is None or said.minute > max(map(_minute, noes), default=NEVER)
        if said.action == "unblock":
            return said.minute is None or said.minute > self._block_minute(said.account)
        return True

    def _status(self, account: str, purpose: str) -> str:
        own = [s for s in self.said if _grants(s, account, purpose)]
        own += [s for s in self.said if self._takes(s, account, purpose)]
        last = max(own, key=self.said.index, default=None)
        if not purpose.startswith("marketing."):
            return "no_consent" if last is None else _outcome(last)
        if last is not None and last.action == "grant":
            later = self.said[self.said.index(last) :]
            if not any(self._takes(s, account, "marketing") for s in later):
                return "granted"
        elif last is not None:
            return "revoked"
        return self._status(account, "marketing")

    def _blocked(self, account: str) -> bool:
        return self._block_minute(account) != NEVER

    def _block_minute(self, account: str) -> int:
        minute = NEVER
        for s in self.said:
            if s.account != account:
                continue
            if s.action == "block":
                minute = max(minute, _minute(s))
            elif s.action == "unblock" or (s.action == "grant" and s.chat):
                minute = NEVER
        return minute

    @staticmethod
    def _takes(s: Said, account: str, purpose: str) -> bool:
        """Is this a no that takes exactly this purpose on this account?"""
        if s.action == "block":
            return s.account == account and purpose in ("marketing", "measuring")
        if s.action != "revoke":
            return False
        if s.scope is Scope.PURPOSE:
            return (s.account, s.purpose) == (account, purpose)
        wide = {"marketing", "measuring"} | ({"service"} if s.purpose == "service" else set())
        here = s.account == account or s.scope in (Scope.CHANNEL, Scope.BRAND)
        return here and purpose in wide


def _minute(said: Said) -> int:
    return NOW if said.minute is None else said.minute


def _is_marketing(said: Said) -> bool:
    return said.purpose == "marketing"


def _reach(said: Said) -> str:
    """Return an account, or a word for more than one."""
    return said.scope.value if said.scope in (Scope.CHANNEL, Scope.BRAND) else said.account


def _is_covered(reach: str, no: Said) -> bool:
    """Does a no reach as far as a pause? All accounts here are of one channel."""
    match _reach(no):
        case "brand":
            return True
        case "channel":
            return reach != "brand"
        case account:
            return reach == account


def _grants(said: Said, account: str, purpose: str) -> bool:
    return (said.action, said.account, said.purpose) == ("grant", account, purpose)


def _outcome(said: Said) -> str:
    return "granted" if said.action == "grant" else "revoked"


SAYINGS = st.builds(
    Said,
    action=st.sampled_from(
        (*["grant"] * 3, *["revoke"] * 2, "block", "unblock", *["pause"] * 2, "doubt", "resume")
    ),
    account=st.sampled_from(ACCOUNTS),
    purpose=st.sampled_from(PURPOSES),
    scope=st.sampled_from(Scope),
    minute=st.one_of(st.none(), st.integers(0, 8)),
    chat=st.booleans(),
)


@settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(SAYINGS, min_size=1, max_size=12))
async def test_the_registry_and_the_model_agree(house: House, sayings: list[Said]) -> None:
    if "bot2" not in house.accounts:
        await house.add("bot2", "telegram")
    model, address = Model(), next(ADDRESSES)
    for account in ACCOUNTS:
        # Where an account never heard of somebody, a no from elsewhere is answered `no_consent`.
        await house.say("seen", address, account=account)
    for said in sayings:
        in_doubt = said.action == "doubt"
        recorded = await house.say(
            "heard" if in_doubt else said.action,
            address,
            id=new_id(),
            account=said.account,
            purpose=said.purpose,
            scope=said.scope,
            evidence=Evidence(
                source="chat" if said.chat or in_doubt else "web_form",
                at=None if said.minute is None else LONG_AGO + timedelta(minutes=said.minute),
                text=DOUBTFUL,
            ),
        )

        assert recorded.state == model.hear(said), said
    for account in ACCOUNTS:
        for purpose in PURPOSES:
            answer = await house.answer(address, account=account, purpose=purpose)
            assert answer == model.answer(account, purpose), (account, purpose)
