"""The table of fault points on the whole way out: what is written down, against what arrived.

Everything is real but the wire: the dispatcher, the bot's sender, the simulated platform and its
log. The first call for each person meets a fault; whatever comes after it is served well.
"""

import pytest

from channels.telegram import outbound
from sandbox.app import Sandbox
from tests.dispatcher.desk_rig import a_rig, until
from tests.dispatcher.fault_wire import NOWHERE, WELL, Fault
from tests.dispatcher.outcome_rig import Point, Table, wires_to

pytestmark = pytest.mark.timeout(120)
SHORT = 0.7
"""Seconds until an answer is lost; half a minute in a house that is not in a hurry."""
NOT_SENT = {"again", "throttled", "too_late", "broken", "refused"}


def answer(status: str, body: str = "{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def telegram(status: int, words: str, more: str = "", *headers: str, http: int = 0) -> bytes:
    """Answer as the Bot API refuses."""
    body = f'{{"ok":false,"error_code":{status},"description":"{words}"{more}}}'
    return answer(f"{http or status} Status", body, *headers)


def instead(sent: bytes, then: str = "keep") -> Fault:
    """Something else answers, and the platform hears nothing."""
    return Fault(arrives=NOWHERE, answer=sent, then=then)


def half(own: bytes) -> bytes:
    return own[:-7]


# The platform had less than a request.
POINTS = {
    f"{name} of a request, then {then}": Point(Fault(arrives=much, then=then), "unknown", "unknown")
    for name, much in (("the head", 0.0), ("half", 0.5), ("nothing that went", NOWHERE))
    for then in ("close", "reset", "hang")
}
# The platform took it, and its answer did not come, or not whole, or not to be understood.
CUTS = {
    "no answer": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Len",
    "a head alone": b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n",
    "half an answer": half,
    "a 503 cut short": answer("503 Service Unavailable", "x" * 50)[:-20],
    "a 429 cut short": answer("429 Too Many Requests", "x" * 50)[:-20],
    "a 403 cut short": telegram(403, "Forbidden: bot was blocked by the user")[:-9],
}
POINTS |= {
    f"{name}, then {then}": Point(Fault(answer=sent, then=then), "unknown", "unknown")
    for name, sent in CUTS.items()
    for then in ("close", "reset", "hang")
}
STRANGE = {
    "garbage": b"\x00\x01\x02 what?",
    "another protocol": b"220 smtp.example ESMTP\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a yes that is no JSON": answer("200 OK", "<html>ok</html>"),
    "a yes without a word": answer("204 No Content", ""),
    "a list": answer("200 OK", "[]"),
    "a no without words": answer("200 OK", '{"ok":false}'),
    "a redirect": answer("302 Found", "", "Location: http://127.0.0.1/"),
    "a proxy's 400": answer("400 Bad Request", "<html>"),
    "a proxy's 401": answer("401 Unauthorized", "<html>"),
    "a proxy's 403": answer("403 Forbidden", "<html>"),
    "a proxy's 404": answer("404 Not Found", "<html>"),
    "a proxy's 502": answer("502 Bad Gateway", "<html>"),
    "a 500 of its own": telegram(500, "Internal Server Error"),
    "a 502 of its own": telegram(502, "Bad Gateway"),
    "a 503 of its own": telegram(503, "Service Unavailable"),
    "a 504 of its own": telegram(504, "Gateway Timeout"),
    "a 500 in a 200": telegram(500, "Internal Server Error", http=200),
}
POINTS |= {
    name: Point(Fault(answer=sent, then="close"), "unknown", "unknown")
    for name, sent in STRANGE.items()
}
# What the platform says of it.
POINTS |= {
    "well": Point(WELL, "sent", "sent"),
    "well, but the connection ends": Point(Fault(then="close"), "sent", "sent"),
    "a yes of another shape": Point(Fault(answer=answer("200 OK", '{"ok":true}')), "sent", "sent"),
    "deleted at once": Point(
        Fault(answer=telegram(500, "Internal Server Error: sent message was immediately deleted")),
        "sent",
        "sent",
    ),
}
REFUSALS = {
    "blocked": telegram(403, "Forbidden: bot was blocked by the user"),
    "gone": telegram(403, "Forbidden: user is deactivated"),
    "never there": telegram(400, "Bad Request: chat not found"),
    "bad markup": telegram(400, "Bad Request: can't parse entities"),
    "too large": telegram(413, "Request Entity Too Large"),
    "any other 400": telegram(400, "Bad Request: something new"),
    "a 400 in a 200": telegram(400, "Bad Request: chat not found", http=200),
    "moved": telegram(400, "Bad Request: upgraded", ',"parameters":{"migrate_to_chat_id":-77}'),
}
POINTS |= {name: Point(instead(sent), "refused", "refused") for name, sent in REFUSALS.items()}
WAIT = ',"parameters":{"retry_after":1}'
POINTS |= {
    "a conflict": Point(instead(telegram(409, "Conflict")), "again sent", "sent"),
    "too fast": Point(
        instead(telegram(429, "Too Many Requests", WAIT)), "throttled sent", "sent", "hurried"
    ),
    "too fast, in a header": Point(
        instead(answer("429 Too Many", "<html>", "Retry-After: 1")),
        "throttled sent",
        "sent",
        "hurried",
    ),
    "too fast, in a 200": Point(
        instead(telegram(429, "Too Many Requests", WAIT, http=200)),
        "throttled sent",
        "sent",
        "hurried",
    ),
    "a revoked token": Point(instead(telegram(401, "Unauthorized")), "broken", "queued", "revoked"),
    "an unknown token": Point(instead(telegram(404, "Not Found")), "broken", "queued", "unknown"),
    "misdirected": Point(instead(telegram(421, "Misdirected")), "broken", "queued", "misdirected"),
}
# Before a byte was written, or with nobody to read it.
POINTS |= {
    "refused connections": Point(WELL, "again", "queued", "closed"),
    "a server that may not be called": Point(WELL, "broken", "queued", "forbidden"),
    "unread, then close": Point(WELL, "unknown|again", "unknown|queued", "unread_close"),
    "unread, then reset": Point(WELL, "unknown|again", "unknown|queued", "unread_reset"),
    "unread, then hang": Point(WELL, "unknown", "unknown", "unread_hang"),
}
# A story of two parts: an upload first, and something said already when the second one fails.
POINTS |= {
    name: Point(faults, outcomes, status, account, story=True)
    for name, faults, outcomes, status, account in (
        ("half an upload", Fault(arrives=0.5, then="reset"), "unknown", "unknown", "album_1"),
        ("an upload, half its answer", Fault(answer=half, then="close"), "unknown", "unknown",
         "album_2"),
        ("an upload too large", instead(telegram(413, "Too Large")), "refused", "refused",
         "album_3"),
        ("a second part cut", (WELL, Fault(arrives=0.5, then="close")), "sent unknown", "partial",
         "album_4"),
        ("a second part without answer", (WELL, Fault(answer=b"", then="close")), "sent unknown",
         "partial", "album_4"),
        ("a second part refused", (WELL, instead(telegram(400, "Bad Request: chat not found"))),
         "sent refused", "partial", "album_4"),
        ("a second part too fast", (WELL, instead(telegram(429, "Too Many Requests", WAIT))),
         "sent throttled sent", "sent", "album_5"),
        ("two parts, well", (WELL, WELL), "sent sent", "sent", "album_5"),
    )
}  # fmt: skip


def test_the_table_is_long_enough():
    assert len(POINTS) >= 80


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(outbound, "ANSWER_WITHIN", SHORT)


async def test_each_fault_point_has_its_outcome(urls, tell):
    sandbox = Sandbox()
    async with sandbox.serving() as listener, wires_to(listener.port) as wires:
        async with a_rig(urls, allowed=wires.allowed, alive=True) as rig:
            table = Table(rig, sandbox, wires, POINTS)
            await table.queue()
            await until(table.is_settled)
            seen = await table.read()
        taken = table.taken()
    tell(f"{len(POINTS)} fault points")

    # What is queued still was perhaps tried again meanwhile, with the same outcome.
    said = {
        name: " ".join(dict.fromkeys(outcomes) if status == "queued" else outcomes)
        for name, (outcomes, status) in seen.items()
    }
    assert {n: s for n, s in said.items() if s not in POINTS[n].outcomes.split("|")} == {}
    ends = {name: status for name, (_, status) in seen.items()}
    assert {n: s for n, s in ends.items() if s not in POINTS[n].status.split("|")} == {}
    # Never is it said that something was not sent which the platform has taken.
    assert {
        name: outcomes
        for name, (outcomes, _) in seen.items()
        if taken[name] > sum(outcome not in NOT_SENT for outcome in outcomes)
    } == {}
