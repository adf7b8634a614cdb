"""What is wrong with a request's fields, as pointers and sentences for people.

pydantic speaks of Python (`Tuple should have at least 1 item after validation`); whoever calls an
API wants to know what to write instead. Inputs are never repeated: one may be a secret.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

Location = Sequence[int | str]

_BRANCHES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
"""Steps that pydantic adds for the members of a union; no pointer leads there."""
_OBJECT: Final = "This has to be a JSON object."
_ARRAY: Final = "This has to be a JSON array."
_SENTENCES: Final[dict[str, str]] = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field here.",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
    "string_type": "This has to be a text.",
    "int_type": "This has to be a whole number.",
    "int_parsing": "This has to be a whole number.",
    "bool_type": "This has to be true or false.",
    "bool_parsing": "This has to be true or false.",
    "uuid_type": "This has to be an id, which is a UUID.",
    "uuid_parsing": "This has to be an id, which is a UUID.",
    "timezone_aware": "A time needs its offset from UTC, such as Z or +01:00.",
}
_WITH_CONTEXT: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "too_short": lambda told: f"This needs at least {told['min_length']}.",
    "too_long": lambda told: f"This may have at most {told['max_length']}.",
    "string_too_short": lambda told: f"This needs at least {_characters(told['min_length'])}.",
    "string_too_long": lambda told: f"This may have at most {_characters(told['max_length'])}.",
    "string_pattern_mismatch": lambda told: f"This has to match {told['pattern']}",
    "literal_error": lambda told: f"This has to be {told['expected']}.",
    "enum": lambda told: f"This has to be {told['expected']}.",
    "value_error": lambda told: str(told["error"]),
}


def field_errors(found: Iterable[Mapping[str, Any]], *, at: Location = ()) -> list[dict[str, str]]:
    """Return pydantic's errors as `{"pointer", "message"}`, below `at`."""
    errors = list(found)
    places = [tuple(each["loc"]) for each in errors]
    told: dict[str, str] = {}
    for error, place in zip(errors, places, strict=True):
        if error["type"] == "too_short" and _has_below(place, places):
            # What is wrong with an item was said; that it does not count is no second fault.
            continue
        branches = _branches(place, places)
        if branches:
            place, message = place[:-1], f"This has to be {_either(branches)}."
        else:
            message = _sentence(error)
        if place and place[-1] == "[key]":
            place = place[:-1]
        told.setdefault(pointer((*at, *place)), message)
    return [{"pointer": where, "message": message} for where, message in told.items()]


def pointer(location: Location) -> str:
    """Return a field as a JSON pointer; parameters begin with their place (`/query/limit`)."""
    steps = location[1:] if location and location[0] == "body" else location
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _sentence(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    # A caller that left the context out, because it may hold an input, gets pydantic's own words.
    if kind in _WITH_CONTEXT and error.get("ctx"):
        return _WITH_CONTEXT[kind](error["ctx"])
    return str(error["msg"]).removeprefix("Value error, ")


def _has_below(place: tuple[int | str, ...], places: Iterable[tuple[int | str, ...]]) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _branches(place: tuple[int | str, ...], places: Sequence[tuple[int | str, ...]]) -> list[str]:
    """Return what a union would have taken there; empty when it is no union."""
    if not place or place[-1] not in _BRANCHES:
        return []
    beside = {other[-1] for other in places if other[:-1] == place[:-1]}
    found = [name for name in _BRANCHES if name in beside]
    return found if len(found) > 1 else []


def _either(branches: Sequence[str]) -> str:
    words = [_BRANCHES[name] for name in branches]
    return " or ".join((", ".join(words[:-1]), words[-1]))


def _characters(number: int) -> str:
    return f"{number} character{'' if number == 1 else 's'}"
