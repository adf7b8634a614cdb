"""A brand whose people say things: short words for tests of the registry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.consent.settings import Settings
from shared.clients.consent import Answer, ConsentClient
from shared.contracts.audiences import (
    AudienceCount,
    AudienceFilter,
)
from shared.contracts.consent import (
    AccountFacts,
    BrandFacts,
    ConsentEventIn,
    ConsentRecorded,
    Evidence,
    Person,
    PersonChange,
)
from shared.contracts.policy import BrandPolicy
from shared.ids import new_id
from shared.security.service_tokens import Signer

SIGNER = Signer("gateway", bytes(range(32)))


def settings_for(url: str) -> Settings:
    """What the service is told, for a test."""
    return Settings.model_validate(
        {
            "database_url": url,
            "service_key": "unused",
            "service_public_keys": {"gateway": SIGNER.public_key},
            "sealing_keys": {"k1": "A" * 43},
            "ledger_key": "B" * 42 + "A",
            "suppression_key": "C" * 43,
            "ledger_origin": "aurora.example/ledger",
            "pool_size": 8,
        }
    )


@dataclass
class House:
    """A brand with accounts, and short words for what is said in it."""

    client: ConsentClient
    brand_id: UUID = field(default_factory=new_id)
    accounts: dict[str, UUID] = field(default_factory=dict)

    async def open(self, *, country: str = "IT", **channels: str) -> "House":
        """Tell the registry of the brand and of an account for each name → channel."""
        await self.client.put_brand(
            BrandFacts(
                id=self.brand_id,
                name="Aurora",
                country=country,
                languages=("it",),
                timezone="Europe/Rome",
            )
        )
        for name, channel in channels.items():
            await self.add(name, channel)
        return self

    async def add(self, name: str, channel: str) -> None:
        self.accounts[name] = new_id()
        await self.client.put_account(
            AccountFacts(id=self.accounts[name], brand_id=self.brand_id, channel=channel)
        )

    def event(
        self,
        action: str,
        address: str = "42",
        *,
        account: str = "bot",
        source: str = "web_form",
        at: datetime | None = None,
        **more: Any,
    ) -> ConsentEventIn:
        return ConsentEventIn(
            **{
                "id": new_id(),
                "brand_id": self.brand_id,
                "action": action,
                "account_id": self.accounts[account],
                "address": address,
                "evidence": Evidence(source=source, at=at, text="said so"),
                **more,
            }
        )

    async def say(self, action: str, address: str = "42", **more: Any) -> ConsentRecorded:
        return await self.client.record(self.event(action, address, **more))

    async def answer(
        self, address: str = "42", *, account: str = "bot", purpose: str = "marketing"
    ) -> str:
        """The reason that a check gives for one address."""
        (found,) = await self.client.check(
            brand_id=self.brand_id,
            account_id=self.accounts[account],
            purpose=purpose,
            addresses=[address],
        )
        assert found.allowed is (found.reason in ("granted", "reply"))
        return found.reason

    async def check(
        self,
        *addresses: str,
        account: str = "bot",
        purpose: str = "marketing",
        messages: Sequence[UUID] | None = None,
    ) -> list[Answer]:
        """The whole answers; with `messages`, as the dispatcher asks before it sends them."""
        return await self.client.check(
            brand_id=self.brand_id,
            account_id=self.accounts[account],
            purpose=purpose,
            addresses=addresses,
            messages=messages,
        )

    async def send(self, address: str = "42", **asked: Any) -> str:
        """Ask for a new message as the dispatcher does; return the reason of the answer."""
        (found,) = await self.check(address, messages=[new_id()], **asked)
        return found.reason

    async def count(self, *addresses: str, purpose: str = "marketing") -> AudienceCount:
        """Count everybody, or these."""
        return await self.client.count(
            brand_id=self.brand_id,
            account_id=self.accounts["bot"],
            purpose=purpose,
            filter=AudienceFilter(everyone=not addresses, addresses=addresses),
        )

    async def rule(self, **rules: Any) -> None:
        """Let these rules hold for the brand, and no others of its own."""
        await self.client.put_policy(self.brand_id, BrandPolicy.model_validate(rules))

    async def describe(self, person_id: UUID, **what: Any) -> Person:
        """Note something of a person."""
        change = PersonChange.model_validate(what)
        return await self.client.change_person(self.brand_id, person_id, change)
