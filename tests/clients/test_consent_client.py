"""The registry's client: what it makes of answers that can be trusted, and of those that cannot."""

from uuid import uuid4

import httpx
import orjson
import pytest

from shared.clients.base import ServiceUnavailable
from shared.clients.consent import Answer, ConsentClient
from shared.security.service_tokens import Signer

SIGNER = Signer("dispatcher", bytes(range(32)))


def answering(content: bytes) -> ConsentClient:
    """A client whose service says the same to everything."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=content))
    return ConsentClient("http://consent", SIGNER, transport=transport)


def permission(**changes: object) -> dict[str, object]:
    return {
        "address": "42",
        "allowed": True,
        "reason": "granted",
        "consent_event_id": None,
        "seq": 7,
        **changes,
    }


async def check(client: ConsentClient, *addresses: str) -> list[Answer]:
    return await client.check(
        brand_id=uuid4(), account_id=uuid4(), purpose="marketing", addresses=addresses
    )


async def test_answers_are_tuples_in_order() -> None:
    results = [permission(), permission(address="43", allowed=False, reason="revoked")]
    client = answering(orjson.dumps({"results": results}))

    answers = await check(client, "42", "43")

    assert answers == [
        Answer("42", True, "granted", None, 7),
        Answer("43", False, "revoked", None, 7),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"yes",
        b"[]",
        b"{}",
        b'{"results": null}',
        b'{"results": []}',
        orjson.dumps({"results": [permission()] * 2}),
        orjson.dumps({"results": [permission(address="43")]}),
        orjson.dumps({"results": [{"address": "42", "allowed": True}]}),
        orjson.dumps({"results": ["42"]}),
    ],
)
async def test_an_answer_that_is_none_is_no_permission(answer: bytes) -> None:
    with pytest.raises(ServiceUnavailable):
        await check(answering(answer), "42")


@pytest.mark.parametrize("allowed", [1, "true", "false", None, [], {}])
async def test_only_true_is_true(allowed: object) -> None:
    client = answering(orjson.dumps({"results": [permission(allowed=allowed)]}))

    assert [each.allowed for each in await check(client, "42")] == [False]
