"""Logs: one line of JSON, and never a secret in it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from services.local.layout import free_ports
from shared.telemetry import scrub, serve_metrics

TOKEN = "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"https://api.telegram.org/bot{TOKEN}/sendMessage", "bot[redacted]/sendMessage"),
        (f"token {TOKEN} end", "token [redacted] end"),
        ("/bot42:short/getMe", "/bot[redacted]/getMe"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("x?access_token=EAAB12&y=1", "x?access_token=[redacted]&y=1"),
        ("postgresql://role:pa55@/db?host=/x", "postgresql://role:[redacted]@/db?host=/x"),
        ("campaign 0190 took 12:30:45", "campaign 0190 took 12:30:45"),
    ],
)
def test_secrets_are_taken_out(text: str, clean: str) -> None:
    assert clean in scrub(text)
    assert TOKEN not in scrub(text)


SPEAKER = f"""
import logging, structlog
from shared import telemetry
telemetry.configure("gateway", level="info")
log = structlog.get_logger()
structlog.contextvars.bind_contextvars(trace="t1")
log.info("message.settled", message="m1", took=0.5, nested={{"url": "/bot{TOKEN}/x"}})
log.debug("not.shown")
try:
    raise RuntimeError("https://x/bot{TOKEN}/y")
except RuntimeError:
    log.exception("request.broken")
logging.getLogger("uvicorn.error").warning("odd /bot%s/", "{TOKEN}")
logging.getLogger("uvicorn.access").info("GET /")
logging.getLogger("httpx").info("HTTP Request")
"""


def test_all_logs_are_json_without_secrets() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SPEAKER],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    lines = [json.loads(line) for line in shown.stdout.splitlines()]

    assert [line["event"] for line in lines][:2] == ["message.settled", "request.broken"]
    assert len(lines) == 3
    assert all(line["service"] == "gateway" and line["timestamp"] for line in lines)
    assert lines[0]["trace"] == "t1"
    assert lines[0]["took"] == 0.5
    assert "RuntimeError" in lines[1]["exception"]
    assert TOKEN not in shown.stdout + shown.stderr


def test_figures_are_served_on_a_port_of_their_own() -> None:
    (port,) = free_ports(1)
    stop = serve_metrics(port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        stop()

    assert "process_cpu_seconds_total" in text


def test_no_port_serves_none() -> None:
    stop = serve_metrics(0)
    stop()

    assert callable(stop)
