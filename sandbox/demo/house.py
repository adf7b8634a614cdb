"""The two doors the demo knocks at, as anybody could: the public API and the sandbox's controls."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

CHANNEL = "telegram"


class DemoStopped(Exception):
    """Something answered in a way the demo cannot go on from; the text is for people."""


@dataclass(frozen=True)
class Addresses:
    """Where everything is, as `permesso up` wrote it down."""

    gateway: str
    sandbox: str
    operator_key: str
    state: Path

    @classmethod
    def read(cls, run_json: Path) -> "Addresses":
        """Read the facts of a running house."""
        facts = json.loads(run_json.read_text())
        return cls(
            gateway=facts["gateway"],
            sandbox=facts["sandbox"],
            operator_key=facts["operator_key"],
            state=run_json.with_name("demo.json"),
        )


class House:
    """Calls that either give JSON or say what went wrong."""

    def __init__(self, addresses: Addresses) -> None:
        """Connect to a running house."""
        self.addresses = addresses
        self._gateway = httpx.AsyncClient(base_url=addresses.gateway, timeout=30)
        self._sandbox = httpx.AsyncClient(base_url=addresses.sandbox, timeout=30)
        self._key = addresses.operator_key

    def speak_as(self, api_key: str) -> None:
        """Use this key from now on."""
        self._key = api_key

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the public API."""
        headers = {"authorization": f"Bearer {self._key}"}
        if method == "POST":
            headers["idempotency-key"] = f'"{uuid4()}"'
        answer = await self._gateway.request(method, path, headers=headers, **arguments)
        return _read(answer, f"{method} {path}")

    async def control(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the sandbox's control side."""
        answer = await self._sandbox.request(method, path, **arguments)
        return _read(answer, f"{method} {path}")

    async def close(self) -> None:
        """Hang up."""
        await self._gateway.aclose()
        await self._sandbox.aclose()


def _read(answer: httpx.Response, what: str) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or problem.get("title") or answer.reason_phrase
    raise DemoStopped(f"{what} answered {answer.status_code}: {detail}")
