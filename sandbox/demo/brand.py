"""The demo's brand: Caffè Aurora, its bot, its people, its story. Made once, found again."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.demo.house import CHANNEL, DemoStopped, House

BOT = "7001002003"
TOKEN = f"{BOT}:AAE-a-token-of-the-sandbox-and-of-nobody-else"
PAYLOAD = "autunno-2026"
PEOPLE = 60
FIRST_ADDRESS = 500_000_001
PICTURES = Path(__file__).parent.parent / "demo_story"

IT = (
    "Il primo freddo, la prima tazza. Tostato all'alba, a Trieste.",
    "Miscela Aurora: nocciola, cacao, scorza d'arancia.",
    "Solo in autunno. Solo finché dura.",
)
EN = (
    "First cold morning, first cup. Roasted at dawn, in Trieste.",
    "The Aurora blend: hazelnut, cocoa, orange peel.",
    "Only this autumn. Only while it lasts.",
)
ALT = (
    "A cup of coffee at dawn.",
    "Hazelnuts, cocoa and orange peel around a cup.",
    "Falling leaves and a bag of Aurora coffee.",
)
SHOP = "https://caffe-aurora.example/autunno"


@dataclass(frozen=True)
class Brand:
    """What the demo remembers between two runs."""

    id: str
    api_key: str
    account_id: str
    story_id: str


async def find_or_make(house: House) -> Brand:
    """Return the brand of an earlier run on the same data, or make it."""
    state = house.addresses.state
    if state.exists():
        brand = Brand(**json.loads(state.read_text()))
        house.speak_as(brand.api_key)
        return brand
    brand = await _make(house)
    state.touch(mode=0o600)
    state.write_text(json.dumps(asdict(brand)))
    return brand


async def _make(house: House) -> Brand:
    made = await house.call(
        "POST",
        "/v1/brands",
        json={
            "name": "Caffè Aurora",
            "country": "IT",
            "languages": ["it", "en"],
            "timezone": "Europe/Rome",
        },
    )
    house.speak_as(made["api_key"])
    account = await house.call(
        "POST",
        "/v1/accounts",
        json={
            "channel": CHANNEL,
            "name": "Caffè Aurora",
            "credentials": {
                "token": TOKEN,
                "api_base": f"{house.addresses.sandbox}/telegram",
            },
        },
    )
    story = await house.call("POST", "/v1/stories", json=await _story(house))
    return Brand(made["id"], made["api_key"], account["id"], story["id"])


async def _story(house: House) -> dict[str, Any]:
    media = []
    for path in sorted(PICTURES.glob("*.jpg")):
        files = {"file": (path.name, path.read_bytes(), "image/jpeg")}
        media.append((await house.call("POST", "/v1/media", files=files))["id"])
    if len(media) != len(IT):
        raise DemoStopped(f"the demo's pictures are missing from {PICTURES.name}/")

    def frames(texts: tuple[str, ...], label: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = [
            {"media_id": m, "text": t, "alt": a} for m, t, a in zip(media, texts, ALT, strict=True)
        ]
        told[-1]["button"] = {"label": label, "url": SHOP}
        return told

    return {
        "title": "Autunno 2026",
        "language": "it",
        "frames": frames(IT, "Assaggia l'autunno"),
        "variants": {"en": {"frames": frames(EN, "Taste the autumn")}},
    }


async def gather_people(house: House, brand: Brand) -> list[str]:
    """Let the bot's people be there; those who never did follow the brand's link.

    What they see then is the notice with two buttons; the first one is the yes.
    """
    await house.call("POST", f"/v1/accounts/{brand.account_id}/connect")
    addresses = [str(FIRST_ADDRESS + n) for n in range(PEOPLE)]
    for number, address in enumerate(addresses):
        person = {"channel": CHANNEL, "account": BOT, "address": address}
        language = "en" if number % 6 == 5 else "it"
        await house.control("POST", "/control/people", json={**person, "language": language})
    known = await _granted(house, brand, addresses)
    for address in addresses:
        if known[address] == "no_consent":
            said = {"channel": CHANNEL, "account": BOT, "address": address}
            await house.control("POST", "/control/say", json={**said, "text": f"/start {PAYLOAD}"})
    await _all_answered(house, brand, addresses)
    return addresses


async def _all_answered(house: House, brand: Brand, addresses: list[str]) -> None:
    """Let everybody tap the yes below their notice; wait until nobody is left."""
    tapped: set[str] = set()
    async with asyncio.timeout(30):
        while True:
            reasons = await _granted(house, brand, addresses)
            if not {"no_consent", "pending"}.intersection(reasons.values()):
                return
            for address, reason in reasons.items():
                if reason == "pending" and address not in tapped and await _tap_yes(house, address):
                    tapped.add(address)
            await asyncio.sleep(0.1)


async def _tap_yes(house: House, address: str) -> bool:
    """Tap the first button of the newest notice on a phone; say whether there is one already."""
    person = {"channel": CHANNEL, "account": BOT, "address": address}
    phone = await house.control("GET", "/control/phone", params=person)
    for message in reversed(phone["messages"]):
        for row in message.get("buttons", ()):
            if "data" in row[0]:
                tap = {**person, "button": row[0]["data"], "message_id": message["id"]}
                await house.control("POST", "/control/tap", json=tap)
                return True
    return False


async def _granted(house: House, brand: Brand, addresses: list[str]) -> dict[str, str]:
    """Return why each address may or may not be written to."""
    answer = await house.call(
        "POST",
        "/v1/consents/check",
        json={"account_id": brand.account_id, "purpose": "marketing", "addresses": addresses},
    )
    return {each["address"]: each["reason"] for each in answer["results"]}
