"""Who is meant, in the order of addresses, and how it stands with each of them.

Every statement looks at a bounded window of addresses, so that a million people cost a million
people's time and one window's memory, whatever share of them is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.contracts.clock import Cap

FIRST = ""
LAST = "\U0010ffff" * 257
"""Before and after every address, in the order of collation "C"."""

# What is told about each address: `w` has it, `p` is its person, `s` its state for the purpose.
_FACTS = """
w.address, w.person_id::text, p.language, p.timezone, s.status, s.blocked, s.expires_at <= now(),
s.paused_until > now(), s.event_id::text, s.seq
"""
_PERSON = "JOIN consent.person p ON p.brand_id = $1 AND p.id = w.person_id"
# The window's bounds once more: else a merge would read the states of all addresses before it.
_STATE = """
LEFT JOIN consent.state s ON s.brand_id = $1 AND s.account_id = $2 AND s.purpose = $3
    AND s.address = w.address AND s.address > $4 AND s.address <= $5
"""
_NAMED_STATE = """
LEFT JOIN consent.state s ON s.brand_id = $1 AND s.account_id = $2 AND s.purpose = $3
    AND s.address = w.address
"""
# A topic's own state, else that of marketing: "marketing.x" sorts after "marketing".
_TOPIC_STATE = """
LEFT JOIN LATERAL (
    SELECT * FROM consent.state t WHERE t.brand_id = $1 AND t.account_id = $2
        AND t.purpose IN ($3, 'marketing') AND t.address = w.address
    ORDER BY t.purpose DESC LIMIT 1) AS s ON true
"""
_IN_WINDOW = "w.brand_id = $1 AND w.account_id = $2 AND w.address > $4 AND w.address <= $5"
_WITH_TAGS = "AND ($6::text[] IS NULL OR p.tags && $6)"
_EDGE = """
SELECT address FROM consent.address WHERE brand_id = $1 AND account_id = $2 AND address > $3
ORDER BY address OFFSET $4 LIMIT 1
"""


def _with_state(statement: str, ordinary: str = _STATE) -> tuple[str, str]:
    """Return the statement for an ordinary purpose, and for a topic."""
    return statement.replace("{state}", ordinary), statement.replace("{state}", _TOPIC_STATE)


_PAGE = _with_state(f"""
SELECT {_FACTS} FROM consent.address w {_PERSON} {{state}}
WHERE {_IN_WINDOW} {_WITH_TAGS} ORDER BY w.address LIMIT $7
""")  # noqa: S608 -- built from constants
_W = """
WITH w AS (
    SELECT asked.address, k.person_id FROM unnest($4::text[]) AS asked(address)
    LEFT JOIN consent.address k
        ON k.brand_id = $1 AND k.account_id = $2 AND k.address = asked.address)
"""
_NAMED = _with_state(
    f"""{_W}
SELECT {_FACTS} FROM w LEFT {_PERSON} {{state}} ORDER BY w.address COLLATE "C"
""",  # noqa: S608 -- built from constants
    _NAMED_STATE,
)
_STATUS = "s.status, s.blocked, s.expires_at <= now(), s.paused_until > now()"
# Who waits: by where they live, by hours of their own, and by what they got before.
_WAITS = """
p.timezone, p.quiet_start, p.quiet_end,
EXISTS (SELECT FROM consent.contact c, unnest({caps}) AS cap(messages, days)
    WHERE c.brand_id = $1 AND c.person_id = w.person_id AND cap.messages <= (
        SELECT count(*) FROM unnest(c.at) AS told(at)
        WHERE told.at > now() - make_interval(days => cap.days)))
"""
_NEVER = "NULL::text, NULL::time, NULL::time, false"
_GROUPS = "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
_KNOWN = f"FROM consent.address w {_PERSON} {{state}} WHERE {_IN_WINDOW} {_WITH_TAGS} {_GROUPS}"
_LISTED = f"FROM w LEFT {_PERSON} {{state}} {_GROUPS}"


def _counting(waits: bool) -> tuple[str, str]:
    told = _WAITS.replace("{caps}", "$7::int[], $8::int[]") if waits else _NEVER
    return _with_state(f"SELECT {_STATUS}, {told}, count(*) {_KNOWN}")


def _counting_named(waits: bool) -> tuple[str, str]:
    told = _WAITS.replace("{caps}", "$5::int[], $6::int[]") if waits else _NEVER
    return _with_state(f"{_W} SELECT {_STATUS}, {told}, count(*) {_LISTED}", _NAMED_STATE)


_COUNT = {waits: _counting(waits) for waits in (False, True)}
_COUNT_NAMED = {waits: _counting_named(waits) for waits in (False, True)}


@dataclass(frozen=True, slots=True)
class Whose:
    """The key that an audience is asked for."""

    brand_id: UUID
    account_id: UUID
    purpose: str

    @property
    def topic(self) -> bool:
        """The purpose is one topic of marketing."""
        return self.purpose.startswith("marketing.")

    @property
    def key(self) -> tuple[UUID, UUID, str]:
        """The first three parameters of every statement here."""
        return (self.brand_id, self.account_id, self.purpose)


async def find_edge(
    connection: asyncpg.Connection, whose: Whose, *, after: str, width: int
) -> str | None:
    """Return the last of the next `width` addresses; none when there are fewer."""
    edge: str | None = await connection.fetchval(
        _EDGE, whose.brand_id, whose.account_id, after, width - 1
    )
    return edge


async def page(
    connection: asyncpg.Connection,
    whose: Whose,
    *,
    after: str,
    until: str,
    tags: Sequence[str] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return the facts about those who are meant, after one address and up to another.

    (address, person id, language, time zone, status, blocked, expired, paused, event id, sequence)
    """
    statement = _PAGE[whose.topic]
    return list(await connection.fetch(statement, *whose.key, after, until, tags, limit))


async def named(
    connection: asyncpg.Connection, whose: Whose, *, addresses: Sequence[str]
) -> list[asyncpg.Record]:
    """Return the same facts about each of these addresses, known or not."""
    return list(await connection.fetch(_NAMED[whose.topic], *whose.key, addresses))


async def count(
    connection: asyncpg.Connection,
    whose: Whose,
    *,
    after: str,
    until: str,
    tags: Sequence[str] | None,
    caps: Sequence[Cap] | None,
) -> list[asyncpg.Record]:
    """Count those who are meant, by how it stands with them; with `caps` also by who waits.

    (status, blocked, expired, paused, time zone, own hours' start and end, full, number)
    """
    statement = _COUNT[caps is not None][whose.topic]
    limits = _limits(caps)
    return list(await connection.fetch(statement, *whose.key, after, until, tags, *limits))


async def count_named(
    connection: asyncpg.Connection,
    whose: Whose,
    *,
    addresses: Sequence[str],
    caps: Sequence[Cap] | None,
) -> list[asyncpg.Record]:
    """Count these addresses, known or not, in the same way."""
    statement = _COUNT_NAMED[caps is not None][whose.topic]
    return list(await connection.fetch(statement, *whose.key, addresses, *_limits(caps)))


def _limits(caps: Sequence[Cap] | None) -> tuple[list[int], ...]:
    return () if caps is None else ([cap.messages for cap in caps], [cap.days for cap in caps])
