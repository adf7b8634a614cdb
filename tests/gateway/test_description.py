"""The API's description: complete, worked through, and readable without help from anywhere."""

import re

import httpx
import pytest
from pydantic import TypeAdapter

from services.gateway.api import ROUTERS
from services.gateway.app import create_app
from services.gateway.auth import SCOPES
from tests.gateway.gateways import settings_for
from tests.postgres import Urls

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/none"


@pytest.fixture(scope="module")
def app():
    return create_app(settings_for(Urls(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)))


@pytest.fixture
def schema(app):
    return app.openapi()


def operations(schema):
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def routes():
    return {
        f"{method} {route.path}": route
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }


def test_it_is_openapi_3_1_and_describes_every_route(schema):
    assert schema["openapi"].startswith("3.1")
    assert {name for name, _ in operations(schema)} == set(routes())
    assert len(operations(schema)) >= 45


def test_every_operation_is_worked_through(schema):
    for name, operation in operations(schema):
        assert operation["description"].strip(), name
        assert operation["security"], name
        body = operation.get("requestBody", {}).get("content", {})
        if "application/json" in body:
            assert body["application/json"]["example"], name
        success = next(v for k, v in operation["responses"].items() if k.startswith("2"))
        if "204" in operation["responses"] or "content" in operation["operationId"]:
            continue
        assert success["content"], name
        for media in success["content"].values():
            assert media.get("example"), name


def test_every_example_is_what_the_operation_really_takes_and_gives(schema):
    read = []
    for name, operation in operations(schema):
        route = routes()[name]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            kind = TypeAdapter(route.body_field.field_info.annotation)
            read.append(kind.validate_python(body["example"]))
        if route.response_field is not None:
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    example = response["content"]["application/json"]["example"]
                    annotation = route.response_field.field_info.annotation
                    read.append(TypeAdapter(annotation).validate_python(example))

    assert len(read) > len(list(operations(schema)))


def test_every_error_is_a_problem_with_an_example(schema):
    for name, operation in operations(schema):
        errors = {k: v for k, v in operation["responses"].items() if k.startswith(("4", "5"))}
        assert {"401", "403", "404", "422", "429", "503"} <= set(errors), name
        for status, response in errors.items():
            (media,) = response["content"].items()
            assert media[0] == "application/problem+json", name
            assert media[1]["example"]["status"] == int(status)
            assert media[1]["schema"]["$ref"].endswith("ProblemBody")


def test_every_creating_post_takes_an_idempotency_key(schema):
    without = {
        "POST /v1/accounts/{account_id}/connect",
        "POST /v1/campaigns/{campaign_id}/preflight",
        "POST /v1/consents/check",
        "POST /v1/media",
    }
    for name, operation in operations(schema):
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        expected = name.startswith("POST ") and name not in without
        assert ("Idempotency-Key" in names) == expected, name


def test_every_scope_opens_something(schema):
    used = {operation.get("x-scope") for _, operation in operations(schema)} - {None}
    assert used == set(SCOPES)


async def test_the_reference_page_is_complete_and_needs_nobody(app, schema):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        page = await http.get("/docs")
        style = await http.get("/docs/reference.css")
        described = await http.get("/openapi.json")

    assert page.status_code == style.status_code == described.status_code == 200
    for name, operation in operations(schema):
        assert f'id="{operation["operationId"]}"' in page.text, name
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script|javascript:|\son\w+=|style=", page.text)
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page.text)
    assert loaded == ["/docs/reference.css"]
    assert "url(" not in style.text
    assert "{{" not in page.text


def test_it_imports_no_sending_library(app):
    """The gateway never loads a channel's outbound half: aiogram alone costs 160 MB."""
    import subprocess
    import sys

    code = "import services.gateway.app, sys; print('aiogram' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
