"""A person's export: everything that the house knows of one person, as a file or as a page.

Read and written page by page: memory holds one page, however long the history. What goes wrong on
the way breaks the stream off, so that half an export is never taken for a whole one.
"""

from collections.abc import AsyncIterator
from typing import Final, Literal
from uuid import UUID

from services.gateway.house import House
from services.gateway.sheets.export import Export, page
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.consent import HistoryEntry, Person
from shared.contracts.exports import PersonExport, SentMessage
from shared.problems import Problem

Format = Literal["json", "html"]
_LINES: Final = 200
_MESSAGES: Final = 100
_PIECE: Final = 32_768
"""Characters that are gathered before they leave."""


async def pieces(
    house: House, brand_id: UUID, person_id: UUID, format: Format
) -> AsyncIterator[bytes]:
    """Return the export as it is to be sent; await it before the answer begins.

    Raises `ServiceRefused` 404 for nobody, and `Problem` 409 `already_merged` for who is another.
    """
    person = await house.consent.get_person(brand_id, person_id)
    if person.merged_into is not None:
        text = f"This person was merged into {person.merged_into}: export that one."
        raise Problem(409, "already_merged", text)
    merges = await house.consent.merges(brand_id, person_id)
    export = Export(
        exported_at=clock.now(),
        person=person,
        merges=merges.items,
        history=_history(house, brand_id, person_id),
        messages=_messages(house, brand_id, person),
    )
    return _gathered(_json(export) if format == "json" else page(export))


async def _history(house: House, brand_id: UUID, person_id: UUID) -> AsyncIterator[HistoryEntry]:
    after: int | None = 0
    while after is not None:
        found = await house.consent.history(brand_id, person_id, after=after, limit=_LINES)
        for entry in found.items:
            yield entry
        after = found.next


async def _messages(house: House, brand_id: UUID, person: Person) -> AsyncIterator[SentMessage]:
    for channel, address in sorted({(each.channel, each.address) for each in person.addresses}):
        cursor = None
        while True:
            found = await house.dispatcher.messages_to(
                brand_id, channel=channel, address=address, cursor=cursor, limit=_MESSAGES
            )
            for message in found.items:
                yield message
            cursor = found.next
            if cursor is None:
                break


async def _json(export: Export) -> AsyncIterator[str]:
    """Write a `PersonExport` without ever having it whole."""
    head = PersonExport(
        exported_at=export.exported_at,
        person=export.person,
        merges=export.merges,
        history=(),
        messages=(),
    )
    begun = head.model_dump_json(exclude={"history", "messages"})
    yield begun[:-1] + ',"history":['
    async for text in _listed(export.history):
        yield text
    yield '],"messages":['
    async for text in _listed(export.messages):
        yield text
    yield "]}\n"


async def _listed(values: AsyncIterator[Contract]) -> AsyncIterator[str]:
    comma = ""
    async for value in values:
        yield comma + value.model_dump_json()
        comma = ","


async def _gathered(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    waiting, size = list[str](), 0
    async for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= _PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
