"""The main job, done from outside: by the public API, and by what people do on their phones."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

CHANNEL = "telegram"
BOT = "7000001"
TOKEN = f"{BOT}:AAE-sandbox_token_for_everybody_xyz"
# As the dispatcher sees it; from outside it is at the published port.
PLATFORM = "http://sandbox:8090/telegram"
PICTURES = Path(__file__).resolve().parents[2] / "sandbox" / "demo_story"
TEXTS = ("Il primo freddo, la prima tazza.", "Nocciola, cacao, arancia.", "Solo in autunno.")
ENDS = ("finished", "cancelled")
PATIENCE = 45.0


@dataclass
class Brand:
    """A brand with a bot on the sandbox's Telegram, and its two doors: the API and the phones."""

    gateway: httpx.Client
    sandbox: httpx.Client
    key: str
    account_id: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Every answer about totals, for adding up."""

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the public API, and return what it answers.

        A machine that is busy with all of this may ask for patience, as it would any client.
        """
        headers = {"authorization": f"Bearer {self.key}"}
        if method == "POST":
            headers["idempotency-key"] = str(uuid4())
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.gateway.request(method, path, headers=headers, **arguments)
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
            time.sleep(float(answer.headers.get("retry-after", "1")))
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def control(self, path: str, **question: Any) -> Any:
        """Ask the sandbox's control side for something."""
        answer = self.sandbox.post(
            f"/control/{path}", json={"channel": CHANNEL, "account": BOT, **question}
        )
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def open(self) -> None:
        """Register the brand as the operator; from here on speak as it; connect its bot."""
        about = {"name": "Caffè Aurora", "country": "IT", "timezone": "Europe/Rome"}
        made = self.call("POST", "/v1/brands", json={**about, "languages": ["it"]})
        self.key = made["api_key"]
        # Here the link is all of the yes; how a yes is asked twice is told elsewhere.
        self.call("PATCH", "/v1/policy", json={"double_opt_in": False})
        credentials = {"token": TOKEN, "api_base": PLATFORM}
        account = {"channel": CHANNEL, "name": "Aurora", "credentials": credentials}
        self.account_id = self.call("POST", "/v1/accounts", json=account)["id"]
        self.call("POST", f"/v1/accounts/{self.account_id}/connect")

    def gather(self, count: int) -> list[str]:
        """Let people press Start on the brand's link, which is their yes; wait until all count."""
        made = self.control("people", count=count, language="it", start="autunno-2026")
        addresses = [person["address"] for person in made["people"]]
        until(lambda: set(self.reasons(addresses).values()) == {"granted"}, within=120)
        return addresses

    def reasons(self, addresses: list[str]) -> dict[str, str]:
        """Return why each address may or may not be written to."""
        question = {"account_id": self.account_id, "purpose": "marketing", "addresses": addresses}
        answer = self.call("POST", "/v1/consents/check", json=question)
        return {each["address"]: each["reason"] for each in answer["results"]}

    def tell(self) -> str:
        """Upload three pictures, make them a story, and launch a campaign of it to everyone."""
        frames = []
        for text, path in zip(TEXTS, sorted(PICTURES.glob("*.jpg")), strict=True):
            files = {"file": (path.name, path.read_bytes(), "image/jpeg")}
            media = self.call("POST", "/v1/media", files=files)
            frames.append({"media_id": media["id"], "text": text, "alt": text})
        story = {"title": "Autunno", "language": "it", "frames": frames}
        campaign = self.call(
            "POST",
            "/v1/campaigns",
            json={
                "name": "Autunno",
                "story_id": self.call("POST", "/v1/stories", json=story)["id"],
                "purpose": "marketing",
                "account_ids": [self.account_id],
                "audience": {"everyone": True},
            },
        )
        self.call("POST", f"/v1/campaigns/{campaign['id']}/launch")
        return str(campaign["id"])

    def campaign(self, campaign_id: str) -> dict[str, Any]:
        """Look at a campaign, and remember its totals."""
        campaign: dict[str, Any] = self.call("GET", f"/v1/campaigns/{campaign_id}")
        self.seen.append(campaign["totals"])
        return campaign

    def is_over(self, campaign_id: str) -> bool:
        """Say whether a campaign has come to its end."""
        return self.campaign(campaign_id)["status"] in ENDS

    def waiting(self, campaign_id: str, count: int) -> list[str]:
        """Return addresses whose message has not left yet, those last in line."""
        path = f"/v1/campaigns/{campaign_id}/messages"
        queued = self.call("GET", path, params={"status": "queued", "limit": 100})
        return [message["address"] for message in queued["items"]][-count:]

    def say(self, address: str, text: str) -> None:
        """Let a person write to the brand."""
        self.control("say", address=address, text=text)

    def phone(self, address: str) -> list[dict[str, Any]]:
        """Return what the brand put on a phone, the oldest first."""
        answer = self.sandbox.get("/control/phone", params={"channel": CHANNEL, "address": address})
        assert answer.is_success, answer.text
        return [each for each in answer.json()["messages"] if each["by"] == "brand"]

    def pictures(self, address: str) -> int:
        """Return how many pictures are on a phone, as an album or as one rich message."""
        return sum(len(_pictures(each)) for each in self.phone(address))


def _pictures(message: dict[str, Any]) -> list[Any]:
    blocks = message.get("blocks") or []
    return [*message["media"], *(block for block in blocks if "media" in str(block))]


def sums(totals: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return, for each, what was accepted and what all states together make."""
    return [
        (
            each["accepted"],
            sum(count for name, count in each.items() if name not in ("accepted", "withheld"))
            + sum(each["withheld"].values()),
        )
        for each in totals
    ]


def until(true: Callable[[], bool], *, within: float = 60) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.1)
