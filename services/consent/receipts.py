"""Receipts: a line of the ledger in the words of ISO/IEC TS 27560:2023, signed for its person."""

from uuid import UUID

import asyncpg

from services.consent.evidence import Sealed
from services.consent.queries import receipts as queries
from services.consent.registry import Registry
from shared import clock
from shared.contracts.receipts import (
    Controller,
    Processing,
    ReceiptDocument,
    ReceiptEvent,
    ReceiptLedger,
    ReceiptNotice,
    SignedReceipt,
)
from shared.ledger import receipts
from shared.masking import masked
from shared.problems import Problem

WITHDRAWAL = "Write STOP in this chat, use the link to your choices, or ask the controller."


async def make(registry: Registry, brand_id: UUID, event_id: UUID) -> SignedReceipt:
    """Return the receipt of an event, signed now.

    Raises `Problem`: 404 `unknown_event`, 410 `person_erased`.
    """
    async with registry.database.connection(brand_id) as connection:
        line = await queries.line(connection, brand_id=brand_id, event_id=event_id)
        if line is None:
            raise Problem(404, "unknown_event", "The ledger has no such event of this brand.")
        halves = await registry.evidences.of(connection, brand_id, [line["person_id"]])
    if not halves.has(line["person_id"]):
        raise Problem(410, "person_erased", "The person was erased: nobody can open this any more.")
    sealed = halves.open(
        line["sealed"], person_id=line["person_id"], brand_id=brand_id, event_id=event_id
    )
    signer = registry.signers.of(brand_id)
    receipt = _receipt(brand_id, line, sealed, log=signer.key.name)
    told = receipt.model_dump(mode="json", exclude_none=True)
    return SignedReceipt(receipt=receipt, jws=receipts.sign(told, signer), key=str(signer.key))


def _receipt(brand_id: UUID, line: asyncpg.Record, sealed: Sealed, *, log: str) -> ReceiptDocument:
    evidence = sealed.evidence
    notice = None
    if evidence.wording is not None:
        notice = ReceiptNotice(
            wording=evidence.wording, version=evidence.wording_version, language=evidence.language
        )
    return ReceiptDocument(
        record_id=line["id"],
        issued_at=clock.now(),
        controller=Controller(id=brand_id, name=line["name"] or "", country=line["country"] or ""),
        data_subject=line["person_id"],
        processing=tuple(Processing(purpose=purpose) for purpose in line["purposes"]),
        event=ReceiptEvent(
            action=line["action"],
            state=line["outcome"],
            scope=line["held_scope"],
            channel=line["channel"],
            account_id=line["account_id"],
            address=masked(sealed.subject.address),
            recorded_at=line["recorded_at"],
            told_at=evidence.at,
            expires_at=line["expires_at"],
            source=evidence.source,
            rule=evidence.rule,
            reason=line["reason"],
        ),
        notice=notice,
        withdrawal=WITHDRAWAL,
        ledger=ReceiptLedger(log=log, seq=line["seq"], leaf=line["number"]),
    )
