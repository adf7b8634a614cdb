"""File ids come where references stood, and words that look like references stay words."""

from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.media import Load, fill, fill_json, put_down
from shared.contracts.stories import Part
from tests.channels.shelf import Shelf
from tests.channels.steady import steady

ONE, TWO = UUID(int=1), UUID(int=2)
KNOWN = {ONE: "file-one", TWO: 'file"two\\'}
TRICKS = st.sampled_from(
    [f"media:{ONE}", f'"photo":"media:{ONE}"', f'x","media":"media:{TWO}', "\\", '"', "ciao"]
)
WORDS = st.lists(TRICKS).map("".join)


@steady
@given(WORDS, WORDS, st.sampled_from([ONE, TWO, UUID(int=3)]))
def test_only_references_are_replaced(caption: str, label: str, media_id: UUID) -> None:
    params = {
        "photo": f"media:{media_id}",
        "caption": caption,
        "media": [{"type": "photo", "media": f"media:{ONE}", "caption": label}],
        "reply_markup": {"inline_keyboard": [[{"text": label, "url": "https://x.example/"}]]},
    }
    by_reference = {f"media:{known}": file_id for known, file_id in KNOWN.items()}

    filled = fill(params, by_reference)

    assert filled["photo"] == KNOWN.get(media_id, f"media:{media_id}")
    assert filled["caption"] == caption
    assert filled["media"] == [{"type": "photo", "media": "file-one", "caption": label}]
    assert filled["reply_markup"] == params["reply_markup"]
    assert orjson.loads(fill_json(orjson.dumps(params), KNOWN)) == filled


LARGE = {"file_id": "large", "width": 1280, "height": 960}
SMALL = {"file_id": "small", "width": 90, "height": 67}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"photo": [SMALL, LARGE]}, "large"),
        ({"photo": [LARGE, SMALL]}, "large"),
        ({"video": {"file_id": "v"}}, "v"),
        ({"animation": {"file_id": "a"}, "document": {"file_id": "d"}}, "a"),
        ({"document": {"file_id": "d"}}, "d"),
        ({"rich_message": {"blocks": [{"type": "photo", "photo": [SMALL, LARGE]}]}}, "large"),
        ({"rich_message": {"blocks": [{"type": "slideshow", "blocks": []}]}}, None),
        ({"rich_message": 7}, None),
        ({"photo": []}, None),
        ({"photo": [7, {"file_id": 7}]}, None),
        ({"photo": "x", "video": None}, None),
        ({}, None),
    ],
)
async def test_the_largest_size_is_kept(answer: dict[str, object], kept: str | None) -> None:
    shelf, load = Shelf(), Load(owed={ONE})
    part = Part(method="sendPhoto", params={"photo": f"media:{ONE}"}, media=(ONE,))

    await put_down(part, load, shelf, [answer])

    assert shelf.references == ({ONE: kept} if kept else {})
    assert load.owed == (set() if kept else {ONE})
