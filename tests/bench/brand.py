"""A brand with many bots and many people, made quickly."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from tests.bench.figures import really
from tests.bench.house import House

FIRST_ADDRESS = 7_000_000_000
TEXT = "The autumn blend is here: come in, the first cup is ours. " * 3
"""What is sent; the baseline sends the same."""
WEBHOOK_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""What the webhook accounts sign with, so that the stub can tell whether they did."""

# Straight into the registry's tables, because a million calls of its API would be another
# benchmark. There are no lines of the ledger behind these states; nothing that is measured reads
# them.
_PEOPLE = """
CREATE TEMP TABLE made AS
SELECT uuidv7() AS id, uuidv7() AS event_id, ($3::bigint + n)::text AS address,
    ($2::uuid[])[1 + n % cardinality($2::uuid[])] AS account_id
FROM generate_series(1, $4::int) AS n
"""
_INSERTS = (
    "INSERT INTO consent.person (brand_id, id, language) SELECT $1, id, 'it' FROM made",
    "INSERT INTO consent.identity SELECT $1, '{channel}', address, id FROM made",
    "INSERT INTO consent.address (brand_id, account_id, address, person_id)"
    " SELECT $1, account_id, address, id FROM made",
)
_STATES = (
    "INSERT INTO consent.state (brand_id, account_id, purpose, address, status, event_id, seq,"
    " since, person_id) SELECT $1, account_id, 'marketing', address, 'granted', event_id, 1, now(),"
    " id FROM made"
)


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand, its key and its bots."""

    id: UUID
    key: str
    accounts: Sequence[UUID]

    @property
    def headers(self) -> dict[str, str]:
        """What its requests carry."""
        return {"authorization": f"Bearer {self.key}"}


async def open_brand(
    house: House, *, accounts: int, api_base: str, channel: str = "telegram", first: int = 0
) -> Brand:
    """Make a brand with so many accounts, all on the platform at `api_base`.

    A bot is connected once in the whole house, so a second brand's numbers begin at `first`.
    """
    made = await house.api.post(
        "/v1/brands",
        json={
            "name": "Aurora",
            "country": "IT",
            "languages": ["it", "en"],
            "timezone": "Europe/Rome",
        },
    )
    made.raise_for_status()
    brand = Brand(UUID(made.json()["id"]), made.json()["api_key"], [])

    async def add(number: int) -> UUID:
        answer = await house.api.post(
            "/v1/accounts",
            json={
                "channel": channel,
                "name": f"Aurora {number}",
                "credentials": _credentials(channel, api_base, number),
            },
            headers=brand.headers,
        )
        answer.raise_for_status()
        return UUID(answer.json()["id"])

    ids = await asyncio.gather(*(add(number) for number in range(first, first + accounts)))
    return replace(brand, accounts=ids)


def _credentials(channel: str, api_base: str, number: int) -> dict[str, str]:
    if channel == "webhook":
        return {"url": f"{api_base}/{number}", "secret": WEBHOOK_SECRET}
    return {"token": f"{4_200_000 + number}:{'A' * 35}", "api_base": api_base}


async def add_people(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    accounts: Sequence[UUID],
    count: int,
    states_only: bool = False,
    channel: str = "telegram",
) -> None:
    """Let so many people have said yes, evenly over the accounts."""
    async with connection.transaction():
        await connection.execute(
            _PEOPLE.replace("$2::uuid[]", _uuids(accounts))
            .replace("$3", str(FIRST_ADDRESS))
            .replace("$4", str(count))
        )
        for statement in (*(() if states_only else _INSERTS), _STATES):
            await connection.execute(statement.replace("{channel}", channel), brand_id)
        await connection.execute("DROP TABLE made")
    await connection.execute("VACUUM ANALYZE consent.state, consent.address, consent.person")
    found = await connection.fetchval(
        "SELECT count(*) FROM consent.state WHERE brand_id = $1", brand_id
    )
    really(found == count, "people were not stored")


def _uuids(ids: Sequence[UUID]) -> str:
    listed = ",".join(f"'{each}'" for each in ids)
    return f"ARRAY[{listed}]::uuid[]"
