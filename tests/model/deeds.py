"""All that can happen in a step, to the house and to the page alike; how often is in `DEEDS`.

One rule of the machine draws one of them, so that every example has all of them: rules of their own
would be left out by the dozen (swarm testing), and with them whatever only two of them show.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.book import ACCOUNTS, CHANNEL, MARKETING, PURPOSES, Page
from tests.model.sends import Sent
from tests.model.street import STEP, Street

STOPS = ("STOP", "non voglio più ricevere messaggi")


@dataclass(frozen=True)
class Draw:
    """What was drawn for a step; a deed takes of it what it needs."""

    deed: str
    who: int
    account: str
    purpose: str
    scope: str
    late: int
    """Steps by which a word of the chat arrives too late."""
    days: int
    which: int


@dataclass(frozen=True)
class Turn:
    """One step: who acts, on which street, with what was drawn."""

    street: Street
    draw: Draw
    address: str
    page: Page
    sent: list[Sent]
    everybody: list[tuple[str, Page]]

    @property
    def account(self) -> str:
        return self.draw.account

    @property
    def said(self) -> datetime:
        return self.street.said(self.draw.late)

    @property
    def now(self) -> datetime:
        return self.street.now()

    async def write(self, text: str) -> None:
        await self.street.write(self.address, self.account, text, at=self.said)

    async def buttons(self) -> list[list[str]]:
        """Return the two buttons below each question on the phone, the oldest first."""
        await self.street.still(self.address)
        found = _buttons(self.street.shown(self.address, self.account))
        assert len(found) == self.page.asked[self.account], "the house asks as often as the book"
        return found


def _buttons(shown: list[dict[str, Any]]) -> list[list[str]]:
    """Return the data of a question's buttons, yes and no, for each question."""
    rows = [message["buttons"] for message in shown if message.get("buttons")]
    return [[button["data"] for row in of_one for button in row] for of_one in rows]


# In the chat


async def start(turn: Turn) -> None:
    await turn.write("START")
    turn.page.start(turn.account, at=turn.said, now=turn.now)
    await turn.buttons()


async def follow_a_link(turn: Turn) -> None:
    await turn.write("/start autunno")
    turn.page.start(turn.account, at=turn.said, now=turn.now, link=True)
    await turn.buttons()


async def open_the_bot(turn: Turn) -> None:
    await turn.write("/start")
    turn.page.open_bot(turn.account, at=turn.said, now=turn.now)
    await turn.buttons()


async def stop(turn: Turn) -> None:
    await turn.write(STOPS[turn.draw.which % len(STOPS)])
    turn.page.stop(turn.account, at=turn.said)


async def stop_and_start_overtaken(turn: Turn) -> None:
    """A yes that was on its way while its person said no, and arrives after it."""
    await turn.write(STOPS[0])
    turn.page.stop(turn.account, at=turn.said)
    earlier = turn.said - timedelta(seconds=turn.draw.which % 3)
    await turn.street.write(turn.address, turn.account, "START", at=earlier)
    turn.page.start(turn.account, at=earlier, now=turn.now)
    await turn.buttons()


async def say_yes(turn: Turn) -> None:
    await turn.write("sì")
    turn.page.say_yes(turn.account, at=turn.said, now=turn.now)


async def say_no(turn: Turn) -> None:
    await turn.write("no")
    turn.page.say_no(turn.account, at=turn.said, now=turn.now)


async def tap(turn: Turn) -> None:
    """Tap a button of the newest question, or of an old one; where there is none, talk."""
    buttons = await turn.buttons()
    if not buttons:
        await talk(turn)
        return
    back, no = divmod(turn.draw.which, 2)
    number = len(buttons) - 1 if back < 3 else back % len(buttons)
    await turn.street.tap(turn.address, turn.account, buttons[number][no])
    if no:
        turn.page.tap_no(turn.account, number, now=turn.now)
    else:
        turn.page.tap_yes(turn.account, number, now=turn.now)
        await turn.buttons()


async def ask_for_a_pause(turn: Turn) -> None:
    await turn.write(f"pausa {turn.draw.days} giorni")
    until = turn.now + timedelta(days=turn.draw.days)
    turn.page.pause(turn.account, CHANNEL, at=turn.said, until=until)


async def doubt(turn: Turn) -> None:
    await turn.write("maybe I should unsubscribe")
    turn.page.doubt(turn.account, at=turn.said, now=turn.now)


async def talk(turn: Turn) -> None:
    await turn.write("A che ora aprite?")
    turn.page.talk(turn.account)


async def block(turn: Turn) -> None:
    await turn.street.belong(turn.address, turn.account, "kicked", at=turn.said)
    turn.page.block(turn.account, at=turn.said)


async def unblock(turn: Turn) -> None:
    await turn.street.belong(turn.address, turn.account, "member", at=turn.said)
    turn.page.unblock(turn.account, at=turn.said)


async def repeat_a_webhook(turn: Turn) -> None:
    """What comes again changes nothing, whatever came in between."""
    posted = turn.street.posted
    if posted:
        await turn.street.post_again(*posted[-1 - turn.draw.which % len(posted)])


# By the brand


async def agree(turn: Turn) -> None:
    await turn.street.consent(turn.address, turn.account, "grant", purpose=turn.draw.purpose)
    turn.page.agree(turn.account, turn.draw.purpose)


async def agree_for_a_while(turn: Turn) -> None:
    """A yes that ends: the moment it does, it is none."""
    purpose, ends = turn.draw.purpose, datetime.now(UTC) + (0.5 + turn.draw.which) * STEP
    ending = {"purpose": purpose, "expires_at": ends.isoformat()}
    await turn.street.consent(turn.address, turn.account, "grant", **ending)
    turn.page.agree(turn.account, purpose, ends=turn.street.here(ends))


async def refuse(turn: Turn) -> None:
    purpose, scope = turn.draw.purpose, turn.draw.scope
    answer = await turn.street.consent(
        turn.address, turn.account, "revoke", purpose=purpose, scope=scope
    )
    at = turn.street.here(answer["effective_at"])
    turn.page.refuse(turn.account, purpose, scope, at=at)


async def pause(turn: Turn) -> None:
    until = datetime.now(UTC) + timedelta(days=turn.draw.days)
    scope = turn.draw.scope
    ending = {"scope": scope, "until": until.isoformat()}
    answer = await turn.street.consent(turn.address, turn.account, "pause", **ending)
    reach = turn.account if scope in ("purpose", "account") else scope
    at = turn.street.here(answer["effective_at"])
    turn.page.pause(turn.account, reach, at=at, until=turn.street.here(until))


async def bring_a_file(turn: Turn) -> None:
    purpose, addresses = turn.draw.purpose, [address for address, _ in turn.everybody]
    await turn.street.bring_file(turn.account, purpose, addresses)
    for _, page in turn.everybody:
        page.list_in_file(turn.account, purpose, now=turn.now)


async def erase(turn: Turn) -> None:
    """Nothing is known of them any more, but that they want nothing."""
    erased_at = await turn.street.erase(turn.address)
    if erased_at is not None:
        turn.page.erase(at=erased_at)


# And between them


async def let_days_pass(turn: Turn) -> None:
    await turn.street.pass_time(timedelta(days=turn.draw.days))
    for _, page in turn.everybody:
        page.pass_time(now=turn.now)


async def send(turn: Turn) -> None:
    sent = Sent.begin(turn.account)
    answer = turn.page.answer(turn.account, turn.draw.purpose, now=turn.now)
    ended = await turn.street.send(turn.address, turn.account, turn.draw.purpose, sent.text)
    assert ended == ("sent" if answer == "granted" else "withheld"), answer
    turn.sent.append(sent.end(allowed=answer == "granted", must=True))


async def send_while_they_say_stop(turn: Turn) -> None:
    """It may arrive or not; after the confirmation it does not."""
    await turn.street.still(turn.address)
    before = len(turn.street.shown(turn.address, turn.account))
    sent = Sent.begin(turn.account)
    answer = turn.page.answer(turn.account, MARKETING, now=turn.now)
    ended, _ = await asyncio.gather(
        turn.street.send(turn.address, turn.account, MARKETING, sent.text),
        turn.write(STOPS[0]),
    )
    turn.page.stop(turn.account, at=turn.said)
    await turn.street.still(turn.address)
    turn.sent.append(sent.end(allowed=answer == "granted", must=ended == "sent"))
    new = [m["text"] for m in turn.street.shown(turn.address, turn.account)[before:]]
    assert (ended, len(new)) in (("sent", 2), ("withheld", 1), ("cancelled", 1)), new
    assert ended != "sent" or new[0] == sent.text, "the brand wrote after the confirmation"


DEEDS: dict[Callable[[Turn], Awaitable[None]], int] = {
    repeat_a_webhook: 4,
    talk: 1,
    start: 5,
    follow_a_link: 2,
    open_the_bot: 1,
    stop: 4,
    stop_and_start_overtaken: 2,
    say_yes: 2,
    say_no: 1,
    tap: 4,
    ask_for_a_pause: 2,
    doubt: 1,
    block: 1,
    unblock: 1,
    agree: 4,
    agree_for_a_while: 2,
    refuse: 3,
    pause: 1,
    bring_a_file: 2,
    erase: 2,
    let_days_pass: 2,
    send: 6,
    send_while_they_say_stop: 2,
}
"""What can happen, and how often of so many times; first what is nothing in an empty street."""
BY_NAME = {deed.__name__: deed for deed in DEEDS}

DRAWS = st.builds(
    Draw,
    deed=st.sampled_from([deed.__name__ for deed, times in DEEDS.items() for _ in range(times)]),
    who=st.integers(0, 2),
    account=st.sampled_from((*[ACCOUNTS[0]] * 3, ACCOUNTS[1])),
    purpose=st.sampled_from((*[MARKETING] * 2, *PURPOSES)),
    scope=st.sampled_from(("purpose", "account", "channel", "brand")),
    late=st.sampled_from((0, 0, 0, 0, 1, 2, 5)),
    days=st.sampled_from((1, 2, 4, 8)),
    which=st.integers(0, 11),
)
