"""What is wrong with a field, told to people who know JSON and not Python."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.wrong_fields import field_errors, pointer


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=3)


class _Story(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    frames: tuple[_Frame, ...] = Field(min_length=1, max_length=2)
    attributes: dict[str, str | int | bool | None] = {}
    tags: dict[str, str] = {}

    @field_validator("title")
    @classmethod
    def _calm(cls, title: str) -> str:
        if title.isupper():
            raise ValueError("do not shout")
        return title


def told(value: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        _Story.model_validate(value)
    found = field_errors(refused.value.errors())
    assert len({each["pointer"] for each in found}) == len(found)
    return {each["pointer"]: each["message"] for each in found}


def test_what_is_missing_and_what_is_not_known():
    assert told({"frames": [{"url": "x"}], "colour": 1}) == {
        "/title": "This field is required.",
        "/colour": "There is no such field here.",
    }


def test_an_item_that_is_wrong_does_not_make_its_list_too_short():
    assert told({"title": "x", "frames": [{"url": "long"}]}) == {
        "/frames/0/url": "This may have at most 3 characters."
    }


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "This needs at least 1."),
        ([{"url": "a"}] * 3, "This may have at most 2."),
        ({"url": "a"}, "This has to be a JSON array."),
    ],
)
def test_too_few_and_too_many(frames, message):
    assert told({"title": "x", "frames": frames}) == {"/frames": message}


def test_a_union_is_one_field_with_one_fault():
    assert told({"title": "x", "frames": [{"url": "a"}], "attributes": {"a": [1]}}) == {
        "/attributes/a": "This has to be a text, a whole number or true or false."
    }


def test_words_of_our_own_come_without_pythons():
    assert told({"title": "LOUD", "frames": [{"url": "a"}]}) == {"/title": "do not shout"}


def test_a_value_that_is_no_object():
    assert told([1]) == {"": "This has to be a JSON object."}


def test_places_below_another_are_named_from_there():
    with pytest.raises(ValidationError) as refused:
        _Frame.model_validate({})
    found = refused.value.errors(include_context=False)

    assert field_errors(found, at=("credentials",))[0]["pointer"] == "/credentials/url"


def test_pointers_are_escaped():
    assert pointer(("body", "a/b", 0, "c~d")) == "/a~1b/0/c~0d"
    assert pointer(("query", "limit")) == "/query/limit"
    assert pointer(()) == ""
