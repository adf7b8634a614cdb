"""The parts of the gateway, put together once and handed to whoever serves a request."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request

from services.gateway.auth import Caller, Door
from services.gateway.idempotency import Once
from services.gateway.inbox import Inbox
from services.gateway.intake import Intake
from services.gateway.links import Links
from services.gateway.pace import Pace
from services.gateway.routes import Routes
from services.gateway.settings import Settings
from services.gateway.wrong_links import WrongLinks
from shared.clients.consent import ConsentClient
from shared.clients.dispatcher import DispatcherClient
from shared.database import Database
from shared.security.sealing import Sealer

PAGE: Final = 50
LONGEST_PAGE: Final = 200


@dataclass(frozen=True)
class House:
    """Everything that lives as long as the app."""

    settings: Settings
    database: Database
    handling: Database
    """The same one for the inbox's worker alone, which may want many connections at once."""
    sealer: Sealer
    consent: ConsentClient
    dispatcher: DispatcherClient
    door: Door
    pace: Pace
    once: Once
    routes: Routes
    intake: Intake
    inbox: Inbox
    links: Links
    wrong_links: WrongLinks
    wake: asyncio.Event
    """Set when the inbox may have more to do."""

    async def close(self) -> None:
        """Let go of every connection."""
        await self.consent.close()
        await self.dispatcher.close()
        await self.handling.close()
        await self.database.close()


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _new_id(request: Request) -> UUID:
    made: UUID = request.state.resource_id
    return made


Parts = Annotated[House, Depends(_house)]
By = Annotated[Caller, Depends(_caller)]
NewId = Annotated[UUID, Depends(_new_id)]
"""The id of what this call makes: the same one in every repeat with the same Idempotency-Key."""
Cursor = Annotated[
    str | None, Query(max_length=512, description="`next` of the page before.", examples=[None])
]
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="Items of one page.")]
