"""Files of people: read as they come, row by row, with what cannot be read set aside."""

from collections.abc import AsyncIterator

import orjson
import pytest
from starlette.requests import ClientDisconnect

from services.gateway.people_file import LONGEST_ROW, reader_for, rows_of
from shared.problems import Problem

HEADER = "address,source,wording,tags\n"


def spelling(text: str) -> str:
    if not text.isdigit():
        raise ValueError("no address")
    return text


async def read(text: str | bytes, kind: str = "text/csv", piece: int = 7):
    data = text if isinstance(text, bytes) else text.encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    return [row async for row in rows_of(pieces(), reader_for(kind, spelling))]


@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_csv_as_the_standard_has_it(piece):
    rows = '1,till,"Yes, ""now""\r\nplease",a|b\r\n\r\n2,till,ok,\r\n'
    one, two = await read("\ufeff" + HEADER + rows, piece=piece)

    assert (one.address, one.evidence.wording, one.tags) == ("1", 'Yes, "now"\nplease', ("a", "b"))
    assert (two.address, two.tags) == ("2", ())


async def test_csv_as_spreadsheets_in_europe_write_it():
    [row] = await read("Address;Source;Wording\n1;till;Sì, grazie")

    assert (row.address, row.evidence.wording) == ("1", "Sì, grazie")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x,till,ok,", "wrong_address"),
        (",till,ok,", "wrong_address"),
        ("1,till,ok,,more,and,more", "unreadable"),
        ('1,"till"x,ok,', "unreadable"),
        ("1,,ok,", "no_evidence"),
        ("1," + "s" * 101 + ",ok,", "wrong_evidence"),
        ("1,till," + "w" * LONGEST_ROW + ",", "unreadable"),
    ],
)
async def test_a_bad_row_says_why_and_the_others_go_on(line, problem):
    bad, good = await read(f"{HEADER}{line}\n2,till,ok,\n", piece=4096)

    assert (bad.problem, good.problem, good.address) == (problem, None, "2")


async def test_bytes_that_are_no_text_spoil_their_row_alone():
    bad, good = await read(HEADER.encode() + b"1,till,\xff\xfe,\n2,till,ok,\n")

    assert (bad.problem, good.address) == ("unreadable", "2")


async def test_a_quote_that_is_never_closed_spoils_the_rest():
    good, bad = await read(HEADER + '1,till,ok,\n2,till,"never,\n3,till,ok,\n')

    assert (good.address, bad.problem) == ("1", "unreadable")


@pytest.mark.parametrize(
    "text", ["", "name,source\n1,x", "address,adress\n", "address,address\n", "source\nx"]
)
async def test_a_header_that_cannot_be_read_ends_it(text):
    with pytest.raises(Problem) as refused:
        await read(text)
    assert refused.value.status_code == 422


async def test_json_lines():
    good = {"address": "1", "tags": ["a"], "evidence": {"source": "till", "wording": "ok"}}
    lines = [orjson.dumps(good), b"", b"{", b"[]", orjson.dumps({**good, "name": "Ada"})]
    rows = await read(b"\n".join(lines), "application/x-ndjson; charset=utf-8")

    assert [row.problem for row in rows] == [None, "unreadable", "unreadable", "unreadable"]
    assert (rows[0].address, rows[0].tags, rows[0].evidence.source) == ("1", ("a",), "till")


async def post(client, text, *, key=None, kind="text/csv", **params):
    headers = {"content-type": kind, **({"idempotency-key": key} if key else {})}
    return await client.post(
        "/v1/consents/imports",
        content=text.encode(),
        headers=headers,
        params={"channel": "telegram", **params},
    )


async def test_a_file_by_the_api(gateway, aurora):
    _, client = aurora
    await gateway.telegram(client)
    answer = await post(client, f"{HEADER}123,till,ok,\n124,,,\nAda,till,ok,\n123,till,ok,\n")
    told = answer.json()
    page = (await client.get(f"/v1/consents/imports/{told['id']}/rows")).json()
    check = {"channel": "telegram", "purpose": "marketing", "addresses": ["123", "124"]}
    results = (await client.post("/v1/consents/check", json=check)).json()["results"]

    assert answer.status_code == 201
    assert told["status"] == "done"
    assert [told[n] for n in ("rows", "granted", "known", "quarantined")] == [4, 1, 1, 2]
    assert page["items"] == [
        {"row": 2, "reason": "no_evidence"},
        {"row": 3, "reason": "wrong_address"},
    ]
    assert [each["allowed"] for each in results] == [True, False]
    assert (await client.get(f"/v1/consents/imports/{told['id']}")).json() == told


async def break_off(gateway, client, text, *, key):
    """Send the beginning of a file and go away, as a server's socket would tell it."""
    messages = [
        {"type": "http.request", "body": text.encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise ClientDisconnect

    headers = {
        "content-type": "text/csv",
        "transfer-encoding": "chunked",
        "idempotency-key": key,
        "authorization": client.headers["authorization"],
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/consents/imports",
        "raw_path": b"/v1/consents/imports",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "query_string": b"channel=telegram",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    await gateway.app(scope, receive, send)


async def test_a_file_that_broke_off_goes_on_under_its_name(gateway, aurora):
    _, client = aurora
    await gateway.telegram(client)
    lines = [f"{n},till,ok," for n in range(1000, 3500)]

    with pytest.raises(ClientDisconnect):
        await break_off(gateway, client, HEADER + "\n".join(lines[:1500]), key="autumn")
    whole = HEADER + "\n".join(lines)
    first = (await post(client, whole, key="autumn")).json()
    again = (await post(client, whole, key="autumn")).json()

    assert (first["rows"], first["granted"], first["known"]) == (2500, 2500, 0)
    assert again == first


async def test_what_is_no_file_of_people_is_refused(gateway, aurora):
    _, client = aurora
    await gateway.telegram(client)

    assert (await post(client, "{}", kind="application/json")).status_code == 415
    assert (await post(client, "name\nAda")).json()["errors"][0]["pointer"] == "/file"
    assert (await post(client, HEADER, purpose="nonsense")).status_code == 422
