"""The paper of a person's own page: its headers, its templates, and its smaller sheets."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from services.gateway.pages.person_texts import Words

HERE: Final = Path(__file__).parent
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def small(
    words: Words,
    heading: str,
    *paragraphs: str,
    status: int = 200,
    base: str | None = None,
    erase: bool = False,
    fields: dict[str, str] | None = None,
    download: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a page with a heading, some words and at most one thing to do."""
    made = page(
        "person_small.html",
        status,
        words=words,
        heading=heading,
        paragraphs=paragraphs,
        base=base,
        erase=erase,
        fields=fields,
        download=download,
    )
    made.headers.update(headers or {})
    return made


def page(template: str, status: int, **values: object) -> Response:
    """Return a page; what is not ours in it is escaped."""
    text = _TEMPLATES.get_template(template).render(**values)
    return HTMLResponse(text, status_code=status, headers=HEADERS)
