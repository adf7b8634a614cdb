"""Imports: only with evidence, never over a no, and each row once however often it comes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.clients.base import ServiceRefused
from shared.contracts.consent import Evidence, Scope
from shared.contracts.imports import ImportIn, ImportRow, ImportRows
from shared.ids import new_id
from tests.consent.consent_house import House

SAID = Evidence(source="shop_till", wording="Sì, scrivetemi.", at=datetime(2020, 1, 1, tzinfo=UTC))


class Importing:
    """One import of a house, and short words for what is added to it."""

    def __init__(self, house: House, *, purpose: str = "marketing") -> None:
        self.house = house
        self.id = new_id()
        self.wanted = ImportIn(
            id=self.id,
            brand_id=house.brand_id,
            account_id=house.accounts["bot"],
            purpose=purpose,
        )

    async def begin(self) -> "Importing":
        await self.house.client.begin_import(self.wanted)
        return self

    async def add(self, *rows: ImportRow, first: int = 1):
        lot = ImportRows(first=first, rows=rows)
        return await self.house.client.import_rows(self.house.brand_id, self.id, lot)

    async def aside(self) -> dict[int, str]:
        page = await self.house.client.import_aside(self.house.brand_id, self.id)
        return {item.row: item.reason for item in page.items}


@pytest.fixture
async def importing(house: House) -> Importing:
    return await Importing(house).begin()


def row(address: str, evidence: Evidence | None = SAID, **more: object) -> ImportRow:
    return ImportRow(address=address, evidence=evidence, **more)


async def test_a_row_with_evidence_may_be_written_to(importing: Importing) -> None:
    told = await importing.add(row("1"), row("2"))

    assert (told.rows, told.granted, told.status) == (2, 2, "running")
    assert await importing.house.answer("1") == "granted"
    assert await importing.house.answer("3") == "no_consent"


@pytest.mark.parametrize(
    ("purpose", "answer"), [("marketing.news", "paused"), ("service", "granted")]
)
async def test_a_row_for_somebody_in_a_pause_is_a_yes_that_waits(
    house: House, purpose: str, answer: str
) -> None:
    await house.say("pause", "1", scope=Scope.CHANNEL)
    importing = await Importing(house, purpose=purpose).begin()
    told = await importing.add(row("1"), row("2"))

    assert told.granted == 2
    assert await house.answer("1", purpose=purpose) == answer
    assert await house.answer("2", purpose=purpose) == "granted"


async def test_the_ledger_tells_where_a_yes_came_from(importing: Importing) -> None:
    await importing.add(row("1"))
    house = importing.house
    person = await house.client.find_person(
        brand_id=house.brand_id, address="1", account_id=house.accounts["bot"]
    )

    [line] = (await house.client.history(house.brand_id, person.id)).items

    assert (line.action, line.evidence.source, line.evidence.wording) == (
        "import",
        "shop_till",
        "Sì, scrivetemi.",
    )
    assert line.evidence.rule == f"import:{importing.id}#1"
    assert line.evidence.at == SAID.at
    assert datetime.now(UTC) - line.recorded_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row("9", None), "no_evidence"),
        (row("9", Evidence(source="list", at=datetime.now(UTC))), "no_evidence"),
        (row("9", Evidence(source=" ", wording="x")), "no_evidence"),
        (row("9", Evidence(source="list", wording=" ")), "no_evidence"),
        (row("9", Evidence(source="list", wording="a\0b")), "unreadable"),
        (ImportRow(problem="wrong_address"), "wrong_address"),
    ],
)
async def test_what_has_no_evidence_is_set_aside_and_forgotten(
    importing: Importing, bad: ImportRow, reason: str
) -> None:
    told = await importing.add(row("1"), bad)

    assert (told.granted, told.quarantined, told.reasons) == (1, 1, {reason: 1})
    assert await importing.aside() == {2: reason}
    assert await importing.house.answer("9") == "no_consent"
    with pytest.raises(ServiceRefused, match="unknown_person"):
        await importing.house.client.find_person(
            brand_id=importing.house.brand_id, address="9", channel="telegram"
        )


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ({"action": "revoke"}, "revoked"),
        ({"action": "revoke", "scope": "brand"}, "revoked"),
        ({"action": "block", "source": "chat"}, "blocked"),
    ],
)
async def test_a_file_brings_nobody_back_who_said_no(
    importing: Importing, before: dict[str, str], reason: str
) -> None:
    await importing.house.say(before.pop("action"), "1", **before)
    told = await importing.add(row("1"))

    assert (told.suppressed, told.reasons) == (1, {reason: 1})
    assert await importing.house.answer("1") == reason


async def test_a_no_of_before_on_the_channel_holds_for_an_account_that_never_met_them(
    house: House,
) -> None:
    await house.say("revoke", "1", scope="channel")
    await house.add("second", "telegram")
    importing = Importing(house)
    importing.wanted = importing.wanted.model_copy(update={"account_id": house.accounts["second"]})
    await importing.begin()
    told = await importing.add(row("1"))

    assert told.reasons == {"revoked": 1}
    assert await house.answer("1", account="second") == "no_consent"


async def test_who_said_yes_again_is_known(importing: Importing) -> None:
    await importing.house.say("revoke", "1")
    await importing.house.say("grant", "1")
    told = await importing.add(row("1"), row("1"))

    assert (told.known, told.granted, told.suppressed) == (2, 0, 0)


async def test_a_yes_that_has_run_out_is_not_renewed_by_a_list(
    importing: Importing, registry
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    await importing.house.say("grant", "1", expires_at=soon)
    async with registry.database.connection(importing.house.brand_id) as connection:
        await connection.execute("UPDATE consent.state SET expires_at = now() WHERE address = '1'")
    told = await importing.add(row("1"))

    assert told.reasons == {"expired": 1}


async def test_a_repeat_changes_nothing_and_a_rest_goes_on(importing: Importing) -> None:
    rows = [row(str(n)) for n in range(1, 6)]
    await importing.add(*rows[:3])
    again = await importing.add(*rows[:3])
    more = await importing.add(*rows)

    assert (again.rows, more.rows, more.granted, more.known) == (3, 5, 5, 0)


async def test_no_row_is_left_out(importing: Importing) -> None:
    with pytest.raises(ServiceRefused, match="rows_missing"):
        await importing.add(row("1"), first=2)


async def test_nothing_is_added_behind_the_end(importing: Importing) -> None:
    await importing.add(row("1"))
    ended = await importing.house.client.end_import(importing.house.brand_id, importing.id)
    repeated = await importing.add(row("1"))
    with pytest.raises(ServiceRefused, match="import_ended"):
        await importing.add(row("2"), first=2)

    assert ended.status == repeated.status == "done"


async def test_one_id_is_one_import(importing: Importing) -> None:
    other = importing.wanted.model_copy(update={"purpose": "service"})
    with pytest.raises(ServiceRefused, match="id_reused"):
        await importing.house.client.begin_import(other)


async def test_tags_and_language_are_noted_of_those_who_may_be_written_to(
    importing: Importing,
) -> None:
    await importing.add(
        row("1", tags=("b", "a"), language="it"), row("1", tags=("c",)), row("2", None, tags=("x",))
    )
    person = await importing.house.client.find_person(
        brand_id=importing.house.brand_id, address="1", channel="telegram"
    )

    assert (person.tags, person.language) == (("a", "b", "c"), "it")


async def test_imports_and_revocations_at_once_end_with_the_no(house: House) -> None:
    """Two files name the same people, in other orders, while each of them says no."""
    people = [str(n) for n in range(60)]
    one, two = await Importing(house).begin(), await Importing(house).begin()
    await asyncio.gather(
        one.add(*map(row, people)),
        two.add(*map(row, reversed(people))),
        *(house.say("revoke", each) for each in people),
    )
    late = await (await Importing(house).begin()).add(*map(row, people))

    assert late.suppressed == 60
    assert {await house.answer(each) for each in people} == {"revoked"}


async def test_another_brand_sees_nothing_of_it(importing: Importing, consent) -> None:
    other = await House(consent).open(bot="telegram")
    with pytest.raises(ServiceRefused, match="not_found"):
        await consent.get_import(other.brand_id, importing.id)


async def test_a_file_that_proves_a_yes_completes_one_that_waits(
    house: House, importing: Importing
) -> None:
    """Half of a yes in the chat is a state already, and no no."""
    link = await house.say("grant", "1", source="telegram.start", wants_reply=True)
    told = await importing.add(row("1"), row("2"))

    assert link.state == "pending"
    assert (told.granted, told.suppressed) == (2, 0)
    assert await house.answer("1") == "granted"


async def test_a_topic_stands_as_all_of_marketing_does(house: House, registry) -> None:
    """A yes to all of marketing covers the topic, and one that has run out is not renewed."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    await house.say("grant", "1")
    await house.say("grant", "2", expires_at=soon)
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute("UPDATE consent.state SET expires_at = now() WHERE address = '2'")
    topic = await Importing(house, purpose="marketing.news").begin()
    told = await topic.add(row("1"), row("2"), row("3"))

    assert (told.known, told.suppressed, told.granted) == (1, 1, 1)
    assert await house.answer("2", purpose="marketing.news") == "expired"
