"""The sandbox as a process of its own: it says when it is ready, and stops when told to."""

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_it_serves_and_stops_cleanly() -> None:
    process = await start("--no-log", SANDBOX_PORT="0")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    url = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert url is not None, line
    async with httpx.AsyncClient(base_url=url[0], trust_env=False) as http:
        ready = await http.get("/readyz")
        me = await http.get("/telegram/bot42:A/getMe")
        log = (await http.get("/control/log")).json()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        output = await process.stdout.read()
        code = await process.wait()

    assert (ready.status_code, me.json()["result"]["id"]) == (200, 42)
    assert (log["items"], log["last_seq"]) == ([], 1)
    assert code == 0, output


async def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await start("--port", str(port))
        async with asyncio.timeout(60):
            output, _ = await process.communicate()

    assert process.returncode == 2
    assert b"sandbox.cannot_listen" in output
