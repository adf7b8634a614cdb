"""The API's reference for people, made from the same description that programs read.

Everything on it is ours: no script, no font and no style comes from anywhere else.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

HERE: Final = Path(__file__).parent
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    meaning: str


@dataclass(frozen=True)
class Operation:
    """One operation as the page shows it."""

    anchor: str
    method: str
    path: str
    title: str
    more: str
    scope: str
    parameters: tuple[Field, ...]
    curl: str
    status: str
    answer: str


@dataclass(frozen=True)
class Chapter:
    """The operations of one tag."""

    name: str
    about: str
    operations: tuple[Operation, ...]


def install(app: FastAPI) -> None:
    """Serve the reference at /docs."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("reference.html")

    async def reference(request: Request) -> Response:
        schema = app.openapi()
        page = template.render(
            title=schema["info"]["title"],
            about=_paragraphs(schema["info"]["description"]),
            chapters=chapters(schema),
        )
        return HTMLResponse(page, headers=HEADERS)

    async def style(request: Request) -> Response:
        return FileResponse(HERE / "reference.css", media_type="text/css", headers=HEADERS)

    app.add_route("/docs", reference, include_in_schema=False)
    app.add_route("/docs/reference.css", style, include_in_schema=False)


def chapters(schema: dict[str, Any]) -> tuple[Chapter, ...]:
    """Sort the operations of an OpenAPI description by their tags."""
    server = schema["servers"][0]["url"]
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in schema["tags"]}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_operation(server, method, path, operation))
    return tuple(
        Chapter(tag["name"], tag["description"], tuple(found[tag["name"]]))
        for tag in schema["tags"]
    )


def _operation(server: str, method: str, path: str, operation: dict[str, Any]) -> Operation:
    first, _, more = operation.get("description", "").partition("\n\n")
    status = next(status for status in operation["responses"] if status.startswith("2"))
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=first.replace("\n", " "),
        more=more.replace("\n", " "),
        scope=operation.get("x-scope", "the operator's key"),
        parameters=tuple(_field(parameter) for parameter in operation.get("parameters", ())),
        curl=_curl(server, method, path, operation),
        status=status,
        answer=_answer(operation["responses"][status]),
    )


def _field(parameter: dict[str, Any]) -> Field:
    schema = parameter.get("schema", {})
    kinds = [schema, *schema.get("anyOf", ())]
    named = [kind.get("format") or kind.get("type") for kind in kinds]
    kind = next((str(kind) for kind in named if kind and kind != "null"), "text")
    return Field(
        name=parameter["name"],
        kind=f"{kind}, in the {parameter['in']}",
        required=bool(parameter.get("required")),
        meaning=parameter.get("description", ""),
    )


def _curl(server: str, method: str, path: str, operation: dict[str, Any]) -> str:
    """Return the call as one would type it."""
    lines = [f"curl {server}{path}"]
    if method != "get":
        lines[0] = f"curl -X {method.upper()} {server}{path}"
    lines.append('-H "Authorization: Bearer $KEY"')
    body = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in body:
        lines.append("-F file=@picture.jpg")
    elif "application/json" in body:
        example = body["application/json"].get("example", {})
        lines.append('-H "Content-Type: application/json"')
        lines.append("-d '" + _pretty(example).replace("'", "'\\''") + "'")
    return " \\\n  ".join(lines)


def _answer(response: dict[str, Any]) -> str:
    for media in response.get("content", {}).values():
        if "example" in media:
            example = media["example"]
            return example if isinstance(example, str) else _pretty(example)
    return ""


def _pretty(example: object) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _paragraphs(text: str) -> list[list[tuple[bool, str]]]:
    """Split the introduction into paragraphs, and each into (bold?, words)."""
    return [
        [(number % 2 == 1, words) for number, words in enumerate(paragraph.split("**")) if words]
        for paragraph in text.replace("`", "").split("\n\n")
    ]
