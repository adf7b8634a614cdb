"""Errors as others see them: a code, a sentence, a pointer, and nothing that was sent in."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, Field
from sqlalchemy import exc as sqlalchemy

from shared import problems
from shared.database import Database, DatabaseUnavailable
from shared.problems import Problem


class Button(BaseModel):
    url: str = Field(min_length=10)


class Story(BaseModel):
    title: str
    buttons: list[Button]


async def refuse() -> None:
    raise Problem(401, "unauthenticated", "No key.", headers={"WWW-Authenticate": "Bearer"})


def make_app() -> FastAPI:
    app = FastAPI(responses=problems.PROBLEMS)
    problems.install(app)

    @app.post("/stories")
    async def story(story: Story) -> None: ...

    @app.get("/stories")
    async def stories() -> None: ...

    @app.get("/list")
    async def listing(limit: int = Query(le=10)) -> None: ...

    @app.get("/refused")
    async def refused() -> None:
        raise Problem(
            409, "taken", "It is there.", errors=[{"pointer": "/name", "message": "is taken"}]
        )

    @app.get("/closed", dependencies=[Depends(refuse)])
    async def closed() -> None: ...

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    @app.get("/away")
    async def away() -> None:
        raise DatabaseUnavailable("no connection")

    @app.get("/really-away")
    async def really_away() -> None:
        database = Database("postgresql://nobody:x@127.0.0.1:1/none")
        async with database.begin() as session:
            await session.connection()

    @app.get("/pool")
    async def pool() -> None:
        raise sqlalchemy.TimeoutError

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def check(answer: httpx.Response, status: int, code: str) -> Mapping[str, object]:
    body: dict[str, object] = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:permesso:problem:{code}"
    assert body["title"]
    return body


async def test_a_problem_says_what_it_is(client: httpx.AsyncClient) -> None:
    body = check(await client.get("/refused"), 409, "taken")

    assert body["detail"] == "It is there."
    assert body["errors"] == [{"pointer": "/name", "message": "is taken"}]


async def test_a_problem_of_a_dependency_keeps_its_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/closed")

    check(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_wrong_fields_are_pointed_at_and_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.post("/stories", json={"buttons": [{"url": "s3cret"}]})
    body = check(answer, 422, "invalid")

    errors = body["errors"]
    assert isinstance(errors, list)
    assert {each["pointer"] for each in errors} == {"/title", "/buttons/0/url"}
    assert "s3cret" not in answer.text


async def test_a_wrong_parameter_is_pointed_at(client: httpx.AsyncClient) -> None:
    body = check(await client.get("/list?limit=99"), 422, "invalid")

    assert body["errors"] == [
        {"pointer": "/query/limit", "message": "Input should be less than or equal to 10"}
    ]


async def test_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/stories", content=b"{", headers={"Content-Type": "application/json"}
    )

    assert "JSON" in str(check(answer, 400, "malformed_json")["detail"])


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    check(await client.get("/nothing"), 404, "not_found")
    answer = await client.delete("/stories")

    body = check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert body["detail"] == "This path takes GET and POST."


async def test_a_body_that_is_sent_as_something_else(client: httpx.AsyncClient) -> None:
    answer = await client.post("/stories", content=b"{}", headers={"Content-Type": "text/plain"})

    assert "application/json" in str(check(answer, 415, "unsupported_media_type")["detail"])


async def test_a_body_that_is_no_utf_8(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/stories", content=b'"\xff"', headers={"Content-Type": "application/json"}
    )

    assert "JSON" in str(check(answer, 400, "malformed_json")["detail"])


async def test_what_broke_is_told_by_an_incident_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken")
    body = check(answer, 500, "internal")

    assert body["incident"]
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/away", "/really-away", "/pool"])
async def test_a_database_that_is_away_is_said_so(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    check(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == str(problems.RETRY_AFTER)


async def test_the_documents_tell_the_shape(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    answer = document["paths"]["/stories"]["post"]["responses"]["404"]
    assert list(answer["content"]) == ["application/problem+json"]
    assert "ProblemBody" in str(answer["content"])
