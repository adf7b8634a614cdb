"""Who is meant, in the order of addresses, and how it stands with each of them.

Every statement looks at a bounded window of addresses, so that a million people cost a million
people's time and one window's memory, whatever share of them is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.consent.attributes import fits
from shared.contracts.attributes import AttributeFilter
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
_MEANT = "AND ($6::text[] IS NULL OR p.tags && $6) AND {fits}"
_EDGE = """
SELECT address FROM consent.address WHERE brand_id = $1 AND account_id = $2 AND address > $3
ORDER BY address OFFSET $4 LIMIT 1
"""


def _with_state(statement: str, ordinary: str = _STATE) -> tuple[str, str]:
    """Return the statement for an ordinary purpose, and for a topic."""
    return statement.replace("{state}", ordinary), statement.replace("{state}", _TOPIC_STATE)


_PAGE = _with_state(f"""
SELECT {_FACTS} FROM consent.address w {_PERSON} {{state}}
WHERE {_IN_WINDOW} {_MEANT} ORDER BY w.address LIMIT $7
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
_ZONES = "p.timezone, NULL::time, NULL::time, false"
# As `services.dispatcher.shares` has it: which share a person falls into. Four bytes of a hash.
_SHARE = """
width_bucket(('x' || left(encode(sha256(
    uuid_send({key}::uuid) || uuid_send(w.person_id)), 'hex'), 8))::bit(32)::bigint,
    {edges}::bigint[])
"""
_ALL_ALIKE = "0"
_GROUPS = "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
_KNOWN = f"FROM consent.address w {_PERSON} {{state}} WHERE {_IN_WINDOW} {_MEANT} {_GROUPS}"
_LISTED = f"FROM w LEFT {_PERSON} {{state}} {_GROUPS}"


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


@dataclass(frozen=True, slots=True)
class Split:
    """How people are split: by which key, and where each share but the first begins."""

    key: UUID
    edges: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a count tells of those who may be written to, beside their number."""

    caps: tuple[Cap, ...] | None = None
    """Who waits, by where they live and under these caps; None: nobody waits."""
    zones: bool = False
    """Where they live, even if nobody waits."""
    split: Split | None = None


async def page(
    connection: asyncpg.Connection,
    whose: Whose,
    *,
    after: str,
    until: str,
    tags: Sequence[str] | None,
    attributes: AttributeFilter | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return the facts about those who are meant, after one address and up to another.

    (address, person id, language, time zone, status, blocked, expired, paused, event id, sequence)
    """
    values: list[object] = [*whose.key, after, until, tags, limit]
    statement = _PAGE[whose.topic].replace("{fits}", fits(attributes, values))
    return list(await connection.fetch(statement, *values))


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
    attributes: AttributeFilter | None,
    asked: Asked,
) -> list[asyncpg.Record]:
    """Count those who are meant, by how it stands with them, and by what was asked of them.

    (status, blocked, expired, paused, time zone, own hours' start and end, full, share, number)
    """
    values: list[object] = [*whose.key, after, until, tags]
    told = f"SELECT {_STATUS}, {_told(asked, values)}, count(*) {_KNOWN}"
    statement = _with_state(told)[whose.topic].replace("{fits}", fits(attributes, values))
    return list(await connection.fetch(statement, *values))


async def count_named(
    connection: asyncpg.Connection, whose: Whose, *, addresses: Sequence[str], asked: Asked
) -> list[asyncpg.Record]:
    """Count these addresses, known or not, in the same way."""
    values: list[object] = [*whose.key, addresses]
    told = f"{_W} SELECT {_STATUS}, {_told(asked, values)}, count(*) {_LISTED}"
    return list(await connection.fetch(_with_state(told, _NAMED_STATE)[whose.topic], *values))


def _told(asked: Asked, values: list[object]) -> str:
    """Return the columns for what was asked; their parameters go behind `values`."""
    waits = _ZONES if asked.zones else _NEVER
    if asked.caps is not None:
        values += [[cap.messages for cap in asked.caps], [cap.days for cap in asked.caps]]
        caps = f"${len(values) - 1}::int[], ${len(values)}::int[]"
        waits = _WAITS.replace("{caps}", caps)
    share = _ALL_ALIKE
    if asked.split is not None:
        values += [asked.split.key, asked.split.edges]
        share = _SHARE.replace("{key}", f"${len(values) - 1}")
        share = share.replace("{edges}", f"${len(values)}")
    return f"{waits}, {share}"
