"""The API's description, believed literally: valid, and each example does what it says.

The requests are made as somebody would who copies them from the page, with the ids of what they
made themselves in place of the examples'.
"""

import io
import json
from contextlib import AsyncExitStack
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from PIL import Image

from services.gateway import (
    examples,
    import_examples,
    merge_examples,
    notice_examples,
    review_examples,
)
from services.gateway.app import create_app
from tests.gateway.gateways import settings_for
from tests.house import OPERATOR_KEY, House, a_house
from tests.postgres import Urls

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/none"
FIRST_DAY = (
    "create_brand list_brands create_key list_keys list_channels "
    "get_policy change_policy create_notice list_notices get_notice "
    "create_account list_accounts get_account connect_account change_account "
    "upload_media get_media get_media_content "
    "create_story list_stories get_story list_renderings change_story "
    "create_consent get_receipt check_consents import_consents get_import list_import_rows "
    "find_people get_person change_person list_history list_reviews decide_review "
    "export_person merge_person split_person "
    "list_ledger_entries get_ledger_checkpoint get_ledger_proof get_ledger_consistency "
    "create_callback list_callbacks get_callback rotate_callback_secret "
    "create_message get_message get_message_proof "
    "create_campaign list_campaigns get_campaign preflight_campaign test_campaign "
    "launch_campaign pause_campaign resume_campaign list_campaign_messages "
    "replay_campaign list_campaign_replays cancel_campaign "
    "list_events redeliver_callback replay_event list_callback_attempts erase_person "
    "change_callback delete_callback delete_story delete_account revoke_key "
)
"""Every operation but the stream, which has no end, in the order in which one may call them."""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Describe a gateway that needs no database to describe itself."""
    app = create_app(settings_for(Urls(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)))
    return json.loads(json.dumps(app.openapi()))


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def contents(operation):
    """Yield what an operation takes and gives: a name, the media type, its description."""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media, content
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            yield status, media, content


def test_it_is_valid_openapi_3_1(schema):
    assert schema["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(schema).validate()


def test_its_names_are_words_and_not_places_in_our_code(schema):
    assert not [name for name in schema["components"]["schemas"] if "__" in name]


def test_every_operation_has_an_example_that_its_schema_allows(schema):
    checked = 0
    for path, method, operation in operations(schema):
        for what, media, content in contents(operation):
            if not media.endswith("json"):
                continue
            root = {**content["schema"], "components": schema["components"]}
            validator = jsonschema_rs.Draft202012Validator(root, validate_formats=True)
            errors = [error.message for error in validator.iter_errors(content["example"])]
            assert not errors, f"{method} {path} {what}: {errors}"
            checked += 1
    assert checked > 400


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (90, 160), "brown").save(file, "JPEG")
    return file.getvalue()


class _Reader:
    """Does what the page says, and remembers which real id stands for which of the examples'."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.real: dict[str, str] = {}
        self.key = ""

    async def does(self, path: str, method: str, operation: dict[str, Any]) -> None:
        """Make one call of the page; the answer has the status and the shape of the example."""
        wanted = next(status for status in operation["responses"] if status < "3")
        by_operator = "operator_key" in operation["security"][0]
        content = operation["responses"][wanted].get("content", {})
        example = content.get("application/json", {}).get("example")
        answer: httpx.Response

        async def called() -> bool:
            nonlocal answer
            body = self._body(operation)
            key = OPERATOR_KEY if by_operator else self.key
            answer = await self.house.api.request(
                method,
                self._mine(path.format_map(_IDS)),
                params=_QUESTIONS.get(operation["operationId"]),
                headers={"authorization": f"Bearer {key}", **body.pop("headers", {})},
                **body,
            )
            said = f"{operation['operationId']}: {answer.status_code} {answer.text}"
            assert answer.status_code == int(wanted), said
            # What happens by itself is listed a moment after it was asked for.
            return example is None or "items" not in example or bool(answer.json()["items"])

        await self.house.until(called)
        if example is not None:
            self._compare(operation["operationId"], answer.json(), example)

    def _compare(self, name: str, told: Any, example: Any) -> None:
        assert set(told) == set(example), name
        if "items" in told:
            assert set(told["items"][0]) == set(example["items"][0]), name
            told, example = told["items"][0], example["items"][0]
        if "id" in told and not name.startswith("list_"):
            self.real.setdefault(example["id"], told["id"])
        if name == "list_events":
            self.real[examples.EVENT_ID] = told["id"]
        if name == "list_reviews":
            self.real[review_examples.REVIEW_ID] = told["id"]
        if name == "find_people":
            self.real[examples.PERSON_ID] = told["id"]
        if name == "create_brand":
            self.key = told["api_key"]

    def _mine(self, text: str) -> str:
        for example, real in self.real.items():
            text = text.replace(example, real)
        return text

    def _body(self, operation: dict[str, Any]) -> dict[str, Any]:
        content = operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            return {"files": {"file": ("cup.jpg", _picture(), "image/jpeg")}}
        if "text/csv" in content:
            file = content["text/csv"]["example"]
            return {"content": file, "headers": {"content-type": "text/csv"}}
        if "application/json" not in content:
            return {}
        body = json.loads(self._mine(json.dumps(content["application/json"]["example"])))
        if "credentials" in body:
            # The bot of the example lives in the sandbox.
            body["credentials"]["api_base"] = f"{self.house.sandbox_url}/telegram"
        return {"json": body}


_IDS = {
    "key_id": examples.KEY_ID,
    "account_id": examples.ACCOUNT_ID,
    "media_id": examples.MEDIA_ID,
    "story_id": examples.STORY_ID,
    "campaign_id": examples.CAMPAIGN_ID,
    "message_id": examples.MESSAGE_ID,
    "person_id": examples.PERSON_ID,
    "endpoint_id": examples.ENDPOINT_ID,
    "event_id": examples.EVENT_ID,
    "import_id": import_examples.IMPORT_ID,
    "notice_id": notice_examples.NOTICE_ID,
    "consent_event_id": examples.CONSENT_ID,
    "review_id": review_examples.REVIEW_ID,
}


_QUESTIONS = {
    "find_people": {"channel": "telegram", "address": "123456789"},
    "import_consents": {"channel": "telegram"},
    "get_ledger_consistency": {"from": 1, "to": 1},
}


async def _another_person(house: House, reader: _Reader) -> str:
    """Somebody who will turn out to be the first one."""
    headers = {"authorization": f"Bearer {reader.key}"}
    place = {"channel": "telegram", "address": "192837465"}
    consent = {**place, "action": "grant", "evidence": {"source": "web_form"}}
    await house.api.post("/v1/consents", json=consent, headers=headers)
    found = await house.api.get("/v1/people", params=place, headers=headers)
    return found.json()["items"][0]["id"]


async def test_every_example_works_as_it_is_written(urls, schema):
    named = {
        operation["operationId"]: (*rest, operation) for *rest, operation in operations(schema)
    }
    assert set(FIRST_DAY.split()) == set(named) - {"stream_events"}
    async with a_house(urls) as house, AsyncExitStack() as stack:
        await stack.enter_async_context(house.telegram.holding())
        reader = _Reader(house)
        for name in FIRST_DAY.split():
            if name == "erase_person":
                # It waits for what is in flight: let that land.
                await stack.aclose()
            await reader.does(*named[name])
            if name == "list_history":
                reader.real[merge_examples.OTHER_ID] = await _another_person(house, reader)
            if name == "connect_account":
                house.telegram.make_people("1234567890", address="123456789")
            if name == "list_history":
                house.telegram.say("1234567890", "123456789", "Maybe I should unsubscribe.")
