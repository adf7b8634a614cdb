"""Who is meant by what is known of people: tests of attributes, in SQL of parameters alone."""

import json
from collections.abc import Callable
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.consent import audience
from services.consent.attributes import fits
from services.consent.queries import audience as queries
from services.consent.queries.audience import FIRST, Whose
from shared.contracts.attributes import AttributeFilter
from shared.contracts.audiences import (
    AudienceFilter,
)
from shared.ids import new_id
from shared.wrong_fields import field_errors
from tests.bench.brand import add_people
from tests.consent.consent_house import House
from tests.consent.test_audience import addresses, pages
from tests.postgres import Urls

PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"city": "Torino", "age": 17, "vip": True, "joined": "2026-01-31"},
    "bea": {"city": "Torino", "age": 18, "vip": False, "joined": "2026-02-01T09:00:00Z"},
    "ciro": {"city": "Milano", "age": 18.5, "joined": "yesterday"},
    "dora": {"city": None, "age": "18"},
    "elio": {},
    "fay": {"city": "torino'; DROP TABLE x; --", "age": 65, "vip": "true"},
}


@pytest.fixture
async def crowd(house: House) -> House:
    for address, attributes in PEOPLE.items():
        seen = await house.say("grant", address)
        await house.describe(seen.person_id, attributes=attributes, tags=(f"t{address[0]}",))
    return house


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"name": "city", "is": "Torino"}, "ada bea"),
        ({"name": "city", "one_of": ["Torino", "Milano"]}, "ada bea ciro"),
        ({"name": "city", "is": "torino'; DROP TABLE x; --"}, "fay"),
        ({"name": "city' = 'x", "present": True}, ""),
        ({"name": "age", "is": 18}, "bea"),
        ({"name": "age", "is": 18.0}, "bea"),
        ({"name": "age", "is": "18"}, "dora"),
        ({"name": "age", "at_least": 18}, "bea ciro fay"),
        ({"name": "age", "above": 18}, "ciro fay"),
        ({"name": "age", "at_most": 18}, "ada bea"),
        ({"name": "age", "below": 18}, "ada"),
        ({"name": "age", "at_least": 18, "below": 65}, "bea ciro"),
        ({"name": "vip", "is": True}, "ada"),
        ({"name": "vip", "one_of": [False, "true"]}, "bea fay"),
        ({"name": "vip", "at_least": 0}, ""),
        ({"name": "city", "present": True}, "ada bea ciro fay"),
        ({"name": "city", "present": False}, "dora elio"),
        ({"name": "joined", "at_least": "2026-02-01"}, "bea"),
        ({"name": "joined", "at_most": "2026-02-01"}, "ada bea"),
        ({"name": "joined", "above": "2026-02-01"}, ""),
        ({"name": "joined", "below": "2026-02-01"}, "ada"),
        ({"name": "age", "at_least": "2026-02-01"}, ""),
        ({"all": [{"name": "city", "is": "Torino"}, {"name": "age", "at_least": 18}]}, "bea"),
        ({"any": [{"name": "city", "is": "Milano"}, {"name": "age", "below": 18}]}, "ada ciro"),
        ({"none": [{"name": "city", "is": "Torino"}]}, "ciro dora elio fay"),
        ({"none": [{"name": "age", "at_least": 18}, {"name": "vip", "is": True}]}, "dora elio"),
        (
            {
                "all": [{"name": "city", "present": True}],
                "none": [{"all": [{"name": "vip", "is": False}, {"name": "age", "is": 18}]}],
            },
            "ada ciro fay",
        ),
    ],
)
@pytest.mark.parametrize("limit", [1, 5_000])
async def test_it_chooses_by_what_people_are(
    crowd: House, wanted: dict[str, Any], found: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "_TAGS_WINDOW", 2)
    monkeypatch.setattr(audience, "_COUNT_WINDOW", 2)
    meant = AudienceFilter(attributes=AttributeFilter.model_validate(wanted))

    met = addresses(await pages(crowd, meant, limit=limit))
    counted = await crowd.client.count(
        brand_id=crowd.brand_id,
        account_id=crowd.accounts["bot"],
        purpose="marketing.news",
        filter=meant,
    )

    assert met == found.split()
    assert counted.eligible == len(met)


async def test_with_tags_both_have_to_fit(crowd: House) -> None:
    wanted = AttributeFilter.model_validate({"name": "city", "is": "Torino"})
    meant = AudienceFilter(tags=("tb", "tc"), attributes=wanted)

    assert addresses(await pages(crowd, meant, limit=10)) == ["bea"]


_MANY = [{"name": "a", "is": n} for n in range(51)]


def _deep(levels: int) -> dict[str, Any]:
    return {"all": [_deep(levels - 1)]} if levels else {"name": "a", "is": 1}


@pytest.mark.parametrize(
    ("wrong", "pointer", "message"),
    [
        ({}, "", "give a name with is"),
        ({"name": "city"}, "", "give a name with is"),
        ({"is": "Torino"}, "", "give a name with is"),
        ({"name": "a", "is": 1, "all": [{"name": "b", "is": 1}]}, "", "give either a name"),
        ({"all": []}, "/all", "at least 1"),
        ({"all": [{"name": "a", "was": 1}]}, "/all/0/was", "no such field"),
        ({"all": [{"name": "a", "is": [1]}]}, "/all/0/is", "a number, true, false, or a text"),
        ({"name": "a", "one_of": []}, "/one_of", "at least 1"),
        ({"name": "a", "one_of": list(range(101))}, "/one_of", "at most 100"),
        ({"name": "a", "is": "x" * 1_001}, "/is", "at most 1,000"),
        ({"name": "a", "is": 10**400}, "/is", "a number"),
        ({"name": "a", "at_least": "2026-02-30"}, "/at_least", "no such day"),
        ({"name": "", "is": 1}, "/name", "at least 1"),
        ({"name": "a", "at_least": "soon"}, "/at_least", "a day"),
        ({"name": "a", "at_least": True}, "/at_least", "a day"),
        ({"all": _MANY}, "/all", "at most 50"),
        ({"all": [{"any": _MANY[:30]}, {"any": _MANY[:30]}]}, "", "at most 50 tests"),
        (_deep(5), "", "4 deep"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(
    wrong: dict[str, Any], pointer: str, message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        AttributeFilter.model_validate_json(json.dumps(wrong))

    (told,) = field_errors(refused.value.errors(include_url=False))
    assert told["pointer"] == pointer
    assert message in told["message"]


def test_what_is_as_deep_as_a_well_is_refused_and_does_no_harm() -> None:
    deep = '{"all":[' * 5_000 + '{"name":"a","is":1}' + "]}" * 5_000

    with pytest.raises(ValidationError):
        AttributeFilter.model_validate_json(deep)


_TEXT = st.text(min_size=1, max_size=20)
_TESTS = st.fixed_dictionaries(
    {"name": _TEXT, "is": st.one_of(_TEXT, st.booleans(), st.integers(-9, 9))}
)


@given(
    st.recursive(
        _TESTS,
        lambda inner: st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        max_leaves=5,
    )
)
def test_nothing_that_is_given_is_in_the_statement(wanted: dict[str, Any]) -> None:
    try:
        read = AttributeFilter.model_validate(wanted)
    except ValidationError:
        return
    values: list[object] = ["first"]

    statement = fits(read, values)

    words = "abcdefghijklmnopqrstuvwxyz"
    told = "".join(c for c in statement if c.isalpha() and c not in words).upper()
    assert set(told) <= set("ORANDNTJSB")
    assert statement.count("$") == len(values) - 1
    assert all(f"${n}" in statement for n in range(2, len(values) + 1))


@pytest.mark.timeout(600)
async def test_among_a_million_it_reads_one_window_by_the_index(
    urls: Urls, tell: Callable[[str], None]
) -> None:
    brand_id, account_id = new_id(), new_id()
    owner = await asyncpg.connect(urls.owner)
    await add_people(owner, brand_id=brand_id, accounts=[account_id], count=1_000_000)
    await owner.execute(
        "UPDATE consent.person SET attributes = jsonb_build_object('city', 'Torino')"
        " WHERE id IN (SELECT id FROM consent.person TABLESAMPLE SYSTEM (1) REPEATABLE (1))"
    )
    await owner.execute("VACUUM ANALYZE consent.person")
    whose = Whose(brand_id, account_id, "marketing")
    wanted = AttributeFilter.model_validate({"name": "city", "is": "Torino"})
    plans = []

    class Explaining:
        async def fetch(self, statement: str, *values: object) -> list[Any]:
            told = await owner.fetch(f"EXPLAIN (ANALYZE, FORMAT TEXT) {statement}", *values)
            plans.append("\n".join(row[0] for row in told))
            return []

    await owner.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda v: orjson.dumps(v).decode(),
        decoder=orjson.loads,
    )
    await owner.execute("SET jit = off")
    edge = await queries.find_edge(owner, whose, after=FIRST, width=10_000)
    middle = await queries.find_edge(owner, whose, after=edge, width=400_000)
    until = await queries.find_edge(owner, whose, after=middle, width=10_000)
    await queries.page(
        Explaining(),
        whose,
        after=middle,
        until=until,
        tags=None,
        attributes=wanted,
        limit=2_000,
    )
    await owner.close()

    assert "Seq Scan" not in plans[0]
    assert "address_pkey" in plans[0]
    seconds = plans[0].rpartition("Execution Time: ")[2]
    tell(f"10,000 of 1 M people looked at in {seconds}")
