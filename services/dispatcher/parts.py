"""The exact platform call of a message's next part, as it was frozen when the message was made."""

import asyncio
from collections import OrderedDict
from uuid import UUID

from channels.base.outcomes import BadContent
from services.dispatcher.queries import messages
from services.dispatcher.queries.slips import Claimed
from shared.contracts.stories import Part
from shared.database import Database

_KEPT = 256
"""Campaigns on one account whose parts are kept in memory."""

_Renderings = dict[tuple[str, str], tuple[Part, ...]]
"""Parts by variant and language."""


class Parts:
    """Reads renderings once per campaign and account; equal parts are the same object."""

    def __init__(self, database: Database) -> None:
        """Read from `database` what is not in memory yet."""
        self._database = database
        self._kept: OrderedDict[tuple[UUID, UUID], _Renderings] = OrderedDict()
        self._reading = asyncio.Lock()

    def known(self, account_id: UUID, message: Claimed) -> Part | None:
        """Return the call if it is in memory; where it cannot be, `of` says why."""
        if message.campaign_id is None:
            return None
        renderings = self._kept.get((message.campaign_id, account_id))
        told = message.variant or "", message.language or ""
        parts = renderings.get(told) if renderings else None
        return parts[message.part] if parts and message.part < len(parts) else None

    async def of(self, brand_id: UUID, account_id: UUID, message: Claimed) -> Part:
        """Return the call that `message.part` stands for."""
        if message.campaign_id is None:
            parts = (message.content or {}).get("parts")
            if not isinstance(parts, list) or len(parts) <= message.part:
                raise BadContent("no_content")
            return Part.model_validate(parts[message.part])
        key = (message.campaign_id, account_id)
        if (renderings := self._kept.get(key)) is None:
            # A campaign's first messages all come here at once: one of them reads.
            async with self._reading:
                if (renderings := self._kept.get(key)) is None:
                    renderings = await self._read(brand_id, *key)
        try:
            return renderings[message.variant or "", message.language or ""][message.part]
        except (KeyError, IndexError) as error:
            raise BadContent("no_rendering") from error

    async def _read(self, brand_id: UUID, campaign_id: UUID, account_id: UUID) -> _Renderings:
        async with self._database.connection(brand_id) as connection:
            rows = await messages.renderings(
                connection, brand_id=brand_id, campaign_id=campaign_id, account_id=account_id
            )
        read = {
            told: tuple(Part.model_validate(part) for part in parts) for told, parts in rows.items()
        }
        self._kept[campaign_id, account_id] = read
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return read
