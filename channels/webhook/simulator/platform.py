"""A brand's receiving end: believes what is signed, takes each message once, tells what it got."""

import asyncio
import hashlib
import secrets
import time
from typing import Any

import aiohttp
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from channels.base.simulator.clock import TurnableClock
from channels.base.simulator.log import NO_CONTENT, CallLog
from channels.base.simulator.platform import ControlProblem, Simulator
from channels.base.simulator.requests import (
    BodyTooLarge,
    ClientGone,
    Upload,
    answer_json,
    first_byte_ns,
    header,
    lose_answer,
    read_body,
)
from channels.webhook.simulator.hook import (
    Hook,
    digest,
    empty_message,
    read_document,
    seen_message,
)
from channels.webhook.simulator.signature import key_of, secret_of, signature

OWN_HOOK = "house"
BODY_BYTES = 8 * 1024 * 1024
RETRIES = (0, 1, 2, 4, 8, 16)
"""Seconds between the tries to tell Permesso what a person did."""


class Platform(Simulator):
    """All receivers of the sandbox, each at `/hook/{name}`."""

    name = "webhook"
    title = "Webhooks"
    prefix = "/hook/"

    def __init__(self, *, log: CallLog | None = None, clock: TurnableClock | None = None) -> None:
        """Begin with nobody."""
        super().__init__(log=log, clock=clock)
        self.hooks: dict[str, Hook] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> ASGIApp:
        """Return the receivers as an ASGI application."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._receive(scope, receive, send)

        return app

    def credentials(self, base_url: str) -> dict[str, str]:
        """Return the URL and the secret of a receiver of the house's own."""
        hook = self.hook(OWN_HOOK)
        hook.key = hook.key or hashlib.sha256(b"the house's own receiver").digest()
        url = f"{base_url.rstrip('/')}/hook/{OWN_HOOK}"
        return {"url": url, "secret": secret_of(hook.key)}

    def person(self) -> str:
        """Make a person in the house's own receiver."""
        return self.make_people(OWN_HOOK)[0]

    def hook(self, name: str) -> Hook:
        """Return a receiver, made on first use."""
        if not name or len(name) > 64 or not name.replace("-", "").replace("_", "").isalnum():
            raise ControlProblem(
                422, "bad_hook", "A hook's name is letters, digits, - and _, 64 at most."
            )
        return self.hooks.setdefault(name, Hook(name))

    def configure(
        self, name: str, *, secret: str | None, status: int | None, retry_after: int | None
    ) -> Hook:
        """Tell a receiver its secret, and what to answer from now on."""
        hook = self.hook(name)
        if secret is not None:
            try:
                hook.key = key_of(secret)
            except ValueError as error:
                raise ControlProblem(
                    422, "bad_secret", "A secret is whsec_ and then base64."
                ) from error
        if status is not None:
            if not 200 <= status <= 599:
                raise ControlProblem(422, "bad_answer", "An answer is a status from 200 to 599.")
            hook.status = status
        hook.retry_after = retry_after
        return hook

    async def close(self) -> None:
        """Stop telling what people said."""
        self.gate.open_wide()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Forget every receiver."""
        self.gate.open_wide()
        self.faults.clear()
        self.hooks.clear()
        self.lively.clear()

    # What comes in

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        at_ns = first_byte_ns(scope)
        try:
            hook = self.hook(scope["path"].removeprefix(self.prefix).strip("/"))
            body = await read_body(receive, BODY_BYTES)
        except ControlProblem:
            await answer_json(send, 404, {"code": "not_found"})
            return
        except BodyTooLarge:
            await answer_json(send, 413, {"code": "too_large"})
            return
        except ClientGone:
            return
        if self.gate.closed:
            await self.gate.wait()
        document = read_document(body)
        told = document.get("address")
        address = told if isinstance(told, str) else None
        fault = self.faults.draw(
            account=hook.name, method=scope["method"], address=address, message=True
        )
        if fault is not None and fault.kind == "slow":
            await self.clock.sleep(fault.seconds)
        verdict = hook.decide(scope, body, document, fault, at=self.clock.now())
        self.log.add(
            at_ns=at_ns,
            channel=self.name,
            account=hook.name,
            method=scope["method"],
            address=address,
            outcome=verdict.outcome,
            digest=digest(document, body) if body else NO_CONTENT,
        )
        if verdict.taken:
            webhook_id = header(scope, b"webhook-id").decode("latin-1")
            self._keep(hook, document, webhook_id, address)
        if fault is not None and fault.kind == "answer_lost" and verdict.status < 300:
            await lose_answer(scope, receive, send)
            return
        wait = fault.retry_after if fault and fault.kind == "rate_limited" else hook.retry_after
        headers = [(b"retry-after", b"%d" % wait)] if wait and verdict.status >= 300 else []
        await answer_json(send, verdict.status, {"code": verdict.code}, headers)

    def _keep(
        self, hook: Hook, document: dict[str, Any], webhook_id: str, address: str | None
    ) -> None:
        hook.connect(document)
        if address is None or "message_id" not in document:
            return
        if document.get("type") == "ended":
            hook.hide(address, document["message_id"])
            self.show_change(hook.name, address)
            return
        hook.people.setdefault(address, address)
        hook.counts[address] = hook.counts.get(address, 0) + 1
        hook.show(address, seen_message(hook, webhook_id, document, self.clock.now()))
        self.show_change(hook.name, address)

    # What people do

    def make_people(
        self,
        account: str,
        *,
        count: int = 1,
        address: str | None = None,
        language: str | None = None,
        opened: bool = True,
        start: str | None = None,
        name: str | None = None,
    ) -> list[str]:
        """Make people of a brand's own system."""
        hook = self.hook(account)
        addresses = (
            [address] if address else [f"person-{secrets.token_hex(6)}" for _ in range(count)]
        )
        for made in addresses:
            hook.people[made] = name or made
            if start is not None:
                self._tell(hook, {"type": "started", "address": made, "payload": start or None})
        return addresses

    def say(self, account: str, address: str, text: str) -> int | None:
        """Tell Permesso what a person wrote."""
        hook = self.hook(account)
        hook.people.setdefault(address, address)
        message = empty_message("text", hook, by="person", at=self.clock.now()) | {"text": text}
        hook.show(address, message)
        self.show_change(hook.name, address)
        self._tell(hook, {"type": "wrote", "address": address, "text": text, "id": message["id"]})
        return None

    async def send_photo(
        self, account: str, address: str, photo: Upload, caption: str
    ) -> int | None:
        """Tell Permesso that a person sent a picture: the document says so without its bytes."""
        hook = self.hook(account)
        told = {"type": "wrote", "kind": "photo", "address": address, "id": secrets.token_hex(8)}
        self._tell(hook, told | ({"text": caption} if caption else {}))
        return None

    def tap(
        self, account: str, address: str, button: str, message_id: str | None = None
    ) -> dict[str, Any]:
        """Open a button's link, or tell Permesso the data."""
        hook = self.hook(account)
        for message in reversed(hook.messages.get(address, [])):
            for row in message["buttons"]:
                for found in row:
                    if button in (found["text"], found.get("url")):
                        return {"opened": found["url"]}
        self._tell(hook, {"type": "tapped", "address": address, "data": button})
        return {"update_id": None, "data": button}

    def block(self, account: str, address: str, *, blocked: bool) -> int | None:
        """Block the brand in its own system, or let it back; Permesso is told."""
        hook = self.hook(account)
        (hook.blocked.add if blocked else hook.blocked.discard)(address)
        self.show_change(hook.name, address)
        self._tell(hook, {"type": "blocked" if blocked else "unblocked", "address": address})
        return None

    def deactivate(self, address: str) -> None:
        """Take a person out of every receiver."""
        for hook in self.hooks.values():
            hook.blocked.add(address)

    def _tell(self, hook: Hook, event: dict[str, Any]) -> None:
        """Post an event to Permesso, once it has told where; before that nobody listens."""
        if hook.inbound_url is None or hook.inbound_key is None:
            return
        task = asyncio.get_running_loop().create_task(
            self._post(hook.inbound_url, hook.inbound_key, orjson.dumps(event))
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, url: str, key: bytes, body: bytes) -> None:
        webhook_id = f"msg_{secrets.token_hex(12)}"
        for wait in RETRIES:
            await self.clock.sleep(wait)
            stamp = str(int(time.time()))
            headers = {
                "content-type": "application/json",
                "webhook-id": webhook_id,
                "webhook-timestamp": stamp,
                "webhook-signature": "v1," + signature(key, webhook_id, stamp, body),
            }
            try:
                async with (
                    aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
                    session.post(url, data=body, headers=headers) as response,
                ):
                    if response.status < 300:
                        return
            except (aiohttp.ClientError, TimeoutError):
                continue

    # Phones

    def phone(self, address: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return what the brand's system shows this person."""
        messages = [
            m for hook in self._hooks_of(address, account) for m in hook.messages.get(address, [])
        ]
        return sorted(messages, key=lambda message: float(message["at"]))

    def phone_facts(self, address: str, account: str | None = None) -> dict[str, Any]:
        """Return who the person is and in which receivers."""
        hooks = self._hooks_of(address, account)
        if not hooks:
            raise ControlProblem(
                404, "no_such_person", "Nobody has this address: make people first."
            )
        return {
            "name": hooks[0].people[address],
            "language": None,
            "deactivated": False,
            "received": sum(hook.counts.get(address, 0) for hook in hooks),
            "chats": [
                {
                    "account": hook.name,
                    "title": hook.name,
                    "opened": True,
                    "blocked": address in hook.blocked,
                    "received": hook.counts.get(address, 0),
                    "notice": None,
                }
                for hook in hooks
            ],
        }

    def phones(self, search: str, limit: int) -> list[dict[str, Any]]:
        """Return people whose name or address contains `search`."""
        known = [key for key in reversed(self.lively) if key[0] in self.hooks]
        known += [(hook.name, address) for hook in self.hooks.values() for address in hook.people]
        found = [
            {
                "account": account,
                "address": address,
                "name": self.hooks[account].people.get(address, address),
            }
            for account, address in dict.fromkeys(known)
            if search.lower() in f"{address} {self.hooks[account].people.get(address, '')}".lower()
        ]
        return found[:limit]

    def media(self, key: str) -> tuple[bytes, str] | None:
        """Return nothing: a brand's system gets references."""
        return None

    def set_limits(self, account: str | None, limits: dict[str, Any]) -> dict[str, Any]:
        """Refuse: a receiver has no limits of its own, only what it is told to answer."""
        raise ControlProblem(
            422, "no_limits", "Receivers have no limits; see /control/hooks/{name}."
        )

    def _hooks_of(self, address: str, account: str | None) -> list[Hook]:
        hooks = list(self.hooks.values()) if account is None else [self.hook(account)]
        return [hook for hook in hooks if address in hook.people]
