"""Links to people's pages: keys of their own that rotate, and no use in trying many."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from uuid import UUID

import pytest

from services.gateway.links import GOOD_FOR, Link, LinkRefused, Links
from services.gateway.wrong_links import BURST, WrongLinks
from shared import clock
from shared.ids import new_id

BRAND, PERSON = new_id(), new_id()
OLD, NEW = "the-old-secret", "the-new-secret"


def links(*secrets):
    return Links("https://gateway.example", secrets)


def test_a_link_of_an_older_key_opens_until_that_key_is_taken_away():
    now = clock.now()
    old = links(OLD).token(BRAND, PERSON, now=now)
    rotating = links(OLD, NEW)
    new = rotating.token(BRAND, PERSON, now=now)

    assert rotating.read(old, now=now).person_id == PERSON
    assert rotating.read(new, now=now) == Link(BRAND, PERSON, now.replace(microsecond=0))
    assert links(NEW).read(new, now=now).brand_id == BRAND
    with pytest.raises(LinkRefused):
        links(NEW).read(old, now=now)
    with pytest.raises(LinkRefused):
        links(OLD).read(new, now=now)


def test_one_link_is_always_spelled_the_same():
    now = clock.now()

    assert links(OLD, NEW).token(BRAND, PERSON, now=now) == links(NEW).token(BRAND, PERSON, now=now)


def test_whatever_is_no_link_is_refused_alike():
    now = clock.now()
    token = links(NEW).token(BRAND, PERSON, now=now)
    raw = bytearray(urlsafe_b64decode(token + "=="))
    raw[-1] ^= 1
    flipped = urlsafe_b64encode(raw).rstrip(b"=").decode()
    # Its last letter has four bits that say nothing: another spelling of the same bytes.
    last = chr(ord(token[-1]) + 1)
    wrong = ["", "x", "A" * 86, token[:-1], token + "A", flipped, token[:-1] + last, "é" * 86]

    for each in wrong:
        with pytest.raises(LinkRefused) as refused:
            links(OLD, NEW).read(each, now=now)
        assert not refused.value.expired
    with pytest.raises(LinkRefused) as refused:
        links(NEW).read(token, now=now + GOOD_FOR + timedelta(seconds=1))
    assert refused.value.expired


def test_one_address_may_try_a_few_and_the_others_do_not_pay_for_it():
    wrong = WrongLinks()
    tried = [wrong.take("203.0.113.9").allowed for _ in range(BURST + 3)]

    assert tried == [True] * BURST + [False] * 3
    assert 1 <= wrong.take("203.0.113.9").wait <= 60
    assert wrong.take("203.0.113.10").allowed
    assert not wrong.take("::ffff:203.0.113.9").allowed


def test_a_household_of_ipv6_is_one_and_what_is_no_address_is_another():
    wrong = WrongLinks()
    for number in range(BURST):
        assert wrong.take(f"2001:db8:0:1::{number:x}").allowed

    assert not wrong.take("2001:db8:0:1:ffff::1").allowed
    assert wrong.take("2001:db8:0:2::1").allowed
    assert wrong.take(None).allowed


def test_what_it_remembers_has_a_bound():
    wrong = WrongLinks()
    for number in range(25_000):
        wrong.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(wrong._pace._buckets) == 10_000


async def test_who_tries_many_waits_and_is_told_what_to_do(gateway):
    headers = {"accept-language": "it"}
    answers = [
        await gateway.http.get(f"/p/{number:086d}", headers=headers) for number in range(BURST + 1)
    ]

    assert [each.status_code for each in answers] == [404] * BURST + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "scrivi AIUTO nella chat" in answers[-1].text


async def test_who_has_a_good_link_is_not_counted(gateway, aurora):
    brand_id, client = aurora
    await gateway.telegram(client)
    body = {"channel": "telegram", "address": "42", "action": "grant"}
    said = await client.post(
        "/v1/consents", json={**body, "evidence": {"source": "web_form", "wording": "Sì"}}
    )
    person_id = said.json()["receipt"]["person_id"]
    path = gateway.house.links.url(brand_id, UUID(person_id), now=clock.now())
    path = path.removeprefix("http://gateway")
    good = [(await gateway.http.get(path)).status_code for _ in range(BURST + 5)]
    wrong = [(await gateway.http.get(f"/p/{n:086d}")).status_code for n in range(BURST + 1)]

    assert set(good) == {200}
    assert wrong[-1] == 429
    assert (await gateway.http.get(path)).status_code == 200
