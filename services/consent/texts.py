"""Texts as others write them: what PostgreSQL cannot store, and what is a language."""

import re
from collections.abc import Mapping

from shared.problems import Problem

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_LONGEST_TAG = 35


def language_tag(told: str | None) -> str | None:
    """Return a language tag in our spelling (`pt_BR` is `pt-BR`), or none when it is not one."""
    head, hyphen, rest = (told or "").replace("_", "-").partition("-")
    tag = f"{head.lower()}{hyphen}{rest}"
    return tag if len(tag) <= _LONGEST_TAG and _LANGUAGE.match(tag) else None


def refuse_nul(texts: Mapping[str, str | None]) -> None:
    """Raise a 422 `Problem` for each text, by its pointer, that holds a NUL: no row can hold it."""
    errors = [
        {"pointer": pointer, "message": "The character NUL is not allowed."}
        for pointer, text in texts.items()
        if text is not None and "\0" in text
    ]
    if errors:
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)
