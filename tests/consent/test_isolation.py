"""One brand's people are not another's, and what is written in the ledger stays."""

import asyncpg
import pytest

from services.consent.notary import Notary
from services.consent.registry import Registry
from shared.contracts.consent import Evidence
from shared.contracts.erasures import EraseIn
from shared.contracts.imports import ImportIn, ImportRow, ImportRows
from shared.contracts.merges import MergeIn
from shared.contracts.notices import NoticeIn
from shared.database import Database
from shared.ids import new_id
from tests.consent.consent_house import House

TENANT = (
    *("brand", "account", "person", "identity", "address", "event", "state", "denial"),
    *("person_key", "suppression"),
    *("log_leaf", "log_node", "log_checkpoint"),
    *("import", "import_aside"),
    *("merge", "pause", "review", "notice", "question", "contact", "use"),
)
IDS_ONLY = {
    "suppression_key": {"mark", "used_since"},
    "feed": {"cursor", "brand_id", "event_id", "type"},
    "feed_arrival": {"seq", "brand_id", "event_id", "type"},
    "expiry": {"event_id", "brand_id", "expires_at", "ask_at"},
    "pause_due": {"event_id", "brand_id", "kind", "due_at"},
    "log_arrival": {"brand_id", "seq", "event_id"},
    "log_head": {"brand_id", "size", "checkpoint_id", "told_size", "due_at"},
}


@pytest.fixture
async def full(house: House, registry: Registry) -> House:
    """A brand with a row in every table."""
    one = await house.say("grant")
    doubts = Evidence(source="chat", text="maybe I should unsubscribe")
    await house.say("heard", evidence=doubts)
    await house.say("revoke")
    notice = NoticeIn(wordings={"it": "{brand}: STOP"})
    await house.client.put_notice(house.brand_id, new_id(), notice)
    await house.say("grant", "44", source="telegram.start", purpose="service", wants_reply=True)
    other = await house.say("grant", "43")
    await house.client.merge(
        MergeIn(
            id=new_id(),
            brand_id=house.brand_id,
            kept_id=one.person_id,
            gone_id=other.person_id,
            evidence=Evidence(source="support_desk"),
        )
    )
    await Notary(registry).advance(house.brand_id)
    account_id = house.accounts["bot"]
    begun = ImportIn(id=new_id(), brand_id=house.brand_id, account_id=account_id)
    await house.client.begin_import(begun)
    lot = ImportRows(first=1, rows=(ImportRow(address="7"),))
    await house.client.import_rows(house.brand_id, begun.id, lot)
    await house.rule(caps=[{"messages": 1, "days": 1}])
    await house.say("grant", "45", uses=1)
    assert await house.send("45") == "granted"
    gone = await house.say("grant", "8")
    order = EraseIn(id=new_id(), by="person")
    await house.client.erase(house.brand_id, gone.person_id, order)
    return house


async def rows(database: Database, table: str, *, brand_id: object) -> int:
    async with database.connection(brand_id) as connection:  # type: ignore[arg-type]
        return int(await connection.fetchval(f"SELECT count(*) FROM consent.{table}"))


@pytest.mark.parametrize("table", TENANT)
async def test_without_a_brand_there_is_nothing_to_see_and_with_one_only_its_own(
    full: House, registry: Registry, table: str
) -> None:
    own = await rows(registry.database, table, brand_id=full.brand_id)
    foreign = await rows(registry.database, table, brand_id=new_id())
    none = await rows(registry.database, table, brand_id=None)

    assert own > 0
    assert (foreign, none) == (0, 0)


async def test_every_table_is_either_closed_by_brand_or_holds_ids_alone(
    owner_database: Database,
) -> None:
    async with owner_database.connection() as connection:
        tables = await connection.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS closed FROM pg_class"
            " WHERE relnamespace = 'consent'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname <> 'alembic_version'"
        )
        columns = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'consent'"
        )
        keys = await connection.fetch(
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
            " WHERE c.relnamespace = 'consent'::regnamespace AND c.relname <> 'alembic_version'"
        )
    closed = {row["relname"] for row in tables if row["closed"]}
    open_ = {row["relname"] for row in tables if not row["closed"]}

    assert closed == set(TENANT)
    assert open_ == set(IDS_ONLY)
    for table, names in IDS_ONLY.items():
        assert {row["column_name"] for row in columns if row["table_name"] == table} == names
    assert {row["attname"] for row in keys if row["relname"] in closed} == {"brand_id"}


async def test_a_row_of_another_brand_cannot_be_written(house: House, registry: Registry) -> None:
    other = await House(house.client).open(bot="telegram")
    for table, statement in {
        "person": "INSERT INTO consent.person (brand_id, id) VALUES ($1, gen_random_uuid())",
        "account": "INSERT INTO consent.account VALUES ($1, gen_random_uuid(), 'telegram')",
        "denial": "INSERT INTO consent.denial VALUES"
        " ($1, gen_random_uuid(), 'brand', '', 'marketing', now(), 1, gen_random_uuid())",
    }.items():
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with registry.database.connection(house.brand_id) as connection:
                await connection.execute(statement, other.brand_id)
        assert table in TENANT
    async with registry.database.connection(house.brand_id) as connection:
        changed = await connection.execute(
            "UPDATE consent.account SET channel = 'x' WHERE brand_id = $1", other.brand_id
        )
    assert changed == "UPDATE 0"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent.event SET outcome = 'granted'",
        "DELETE FROM consent.event",
        "TRUNCATE consent.event",
        "ALTER TABLE consent.event DISABLE TRIGGER event_only_grows",
        "ALTER TABLE consent.event NO FORCE ROW LEVEL SECURITY",
    ],
)
async def test_the_service_can_only_add_to_the_ledger(
    full: House, registry: Registry, statement: str
) -> None:
    denied = "permission denied for table event|must be owner of table event"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=denied):
        async with registry.database.connection(full.brand_id) as connection:
            await connection.execute(statement)


@pytest.mark.parametrize(
    "verb", ["UPDATE consent.event SET reason = ''", "DELETE FROM consent.event"]
)
async def test_not_even_the_owner_changes_a_line_by_mistake(
    full: House, owner_database: Database, verb: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the ledger only grows"):
        async with owner_database.connection(full.brand_id) as connection:
            await connection.execute(verb)


async def test_the_same_address_of_two_brands_is_two_people(house: House) -> None:
    other = await House(house.client).open(bot="telegram")
    granted = await house.say("grant")
    seen = await other.say("seen")

    assert granted.person_id != seen.person_id
    assert (await house.answer(), await other.answer()) == ("granted", "no_consent")


async def test_an_account_of_another_brand_is_asked_in_vain(house: House) -> None:
    other = await House(house.client).open(bot="telegram")
    await house.say("grant")
    other.accounts["bot"] = house.accounts["bot"]

    assert await other.answer() == "no_consent"
