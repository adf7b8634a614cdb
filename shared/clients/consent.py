"""The consent registry as the other services see it."""

from collections.abc import Sequence
from uuid import UUID

import httpx

from shared.clients.base import ServiceClient, ServiceUnavailable
from shared.clients.consent_answers import Answer, read_answers
from shared.contracts.audiences import (
    AudienceCount,
    AudienceFilter,
    AudiencePage,
    AudienceQuestion,
)
from shared.contracts.consent import (
    AccountFacts,
    BrandFacts,
    ConsentEventIn,
    ConsentRecorded,
    History,
    Person,
    PersonChange,
)
from shared.contracts.erasures import Erased, EraseIn
from shared.contracts.exports import PersonMerges
from shared.contracts.feed import Feed
from shared.contracts.forecast import ForecastIn
from shared.contracts.imports import AsideRows, Import, ImportIn, ImportRows
from shared.contracts.ledger import LogCheckpoint, LogConsistency, LogEntries, LogProof
from shared.contracts.merges import MergeIn, MoveIn, SplitIn
from shared.contracts.notices import Notice, NoticeIn, Notices
from shared.contracts.policy import BrandPolicy
from shared.contracts.proofs import Dossier, Statement, StatementIn
from shared.contracts.receipts import SignedReceipt
from shared.contracts.refreshes import Refresh, RefreshIn
from shared.contracts.reviews import Review, Reviews, ReviewStatus
from shared.security.service_tokens import Signer

CHECK_WITHIN = 4.0
"""Seconds for a permission: less than the time for which its answer is good."""
_COUNT_WITHIN = 60.0
_FEED_WITHIN = 10.0
_LOT_WITHIN = 30.0


class ConsentClient:
    """Asks the registry and records in it. Every call may be repeated."""

    def __init__(
        self, base_url: str, signer: Signer, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Speak with the registry at `base_url`; a `transport` reaches an app in process."""
        self._service = ServiceClient(base_url, signer, audience="consent", transport=transport)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._service.close()

    async def put_brand(self, brand: BrandFacts) -> BrandFacts:
        """Tell the registry about a brand, or what changed of it."""
        return await self._service.ask(BrandFacts, "PUT", f"/v1/brands/{brand.id}", body=brand)

    async def get_policy(self, brand_id: UUID) -> BrandPolicy:
        """Return a brand's own rules, or raise `ServiceRefused` with status 404."""
        return await self._service.ask(BrandPolicy, "GET", f"/v1/brands/{brand_id}/policy")

    async def put_policy(self, brand_id: UUID, policy: BrandPolicy) -> BrandPolicy:
        """Let other rules hold for a brand from now on."""
        path = f"/v1/brands/{brand_id}/policy"
        return await self._service.ask(BrandPolicy, "PUT", path, body=policy)

    async def put_notice(self, brand_id: UUID, notice_id: UUID, notice: NoticeIn) -> Notice:
        """Make the next version of a notice. Raises `ServiceRefused`: `id_reused`, `invalid`."""
        path = f"/v1/brands/{brand_id}/notices/{notice_id}"
        return await self._service.ask(Notice, "PUT", path, body=notice)

    async def get_notice(self, brand_id: UUID, notice_id: UUID) -> Notice:
        """Return a notice, or raise `ServiceRefused` with status 404."""
        path = f"/v1/brands/{brand_id}/notices/{notice_id}"
        return await self._service.ask(Notice, "GET", path)

    async def notices(
        self, brand_id: UUID, *, after: UUID | None = None, limit: int = 50
    ) -> Notices:
        """Return a brand's notices, the newest first, after the one of the id `after`."""
        params = {"after": None if after is None else str(after), "limit": limit}
        path = f"/v1/brands/{brand_id}/notices"
        return await self._service.ask(Notices, "GET", path, params=params)

    async def put_account(self, account: AccountFacts) -> AccountFacts:
        """Tell the registry about an account; its channel never changes."""
        path = f"/v1/accounts/{account.id}"
        return await self._service.ask(AccountFacts, "PUT", path, body=account)

    async def record(
        self, event: ConsentEventIn, *, within: float | None = None
    ) -> ConsentRecorded:
        """Record something that a person or a brand said; it holds when this returns.

        Raises `ServiceRefused` with code `unknown_account` or `id_reused`.
        """
        return await self._service.ask(
            ConsentRecorded, "POST", "/v1/events", body=event, within=within
        )

    async def check(
        self,
        *,
        brand_id: UUID,
        account_id: UUID,
        purpose: str,
        addresses: Sequence[str],
        messages: Sequence[UUID] | None = None,
        within: float = CHECK_WITHIN,
    ) -> list[Answer]:
        """Say who may be written to now, in the order of `addresses` (at most 1,000).

        With `messages`, what each of them would get: those that are allowed count from now on.
        """
        question: dict[str, object] = {
            "brand_id": brand_id,
            "account_id": account_id,
            "purpose": purpose,
            "addresses": list(addresses),
        }
        if messages is not None:
            question["messages"] = list(messages)
        response = await self._service.send(
            "POST", "/v1/consents/check", body=question, within=within
        )
        answers = read_answers(response.content)
        if [answer.address for answer in answers] != question["addresses"]:
            raise ServiceUnavailable("consent", "it answered another question", sent=True)
        return answers

    async def audience(
        self,
        *,
        brand_id: UUID,
        account_id: UUID,
        purpose: str,
        filter: AudienceFilter,
        after: str | None = None,
        limit: int = 1_000,
    ) -> AudiencePage:
        """Return one page; a page may be empty and still have a `next`."""
        question = AudienceQuestion(
            brand_id=brand_id,
            account_id=account_id,
            purpose=purpose,
            filter=filter,
            after=after,
            limit=limit,
        )
        return await self._service.ask(AudiencePage, "POST", "/v1/audience", body=question)

    async def count(
        self,
        *,
        brand_id: UUID,
        account_id: UUID,
        purpose: str,
        filter: AudienceFilter,
        forecast: ForecastIn | None = None,
    ) -> AudienceCount:
        """Count who may be written to now, and who not, by reason; tell of a launch where asked."""
        question = AudienceQuestion(
            brand_id=brand_id,
            account_id=account_id,
            purpose=purpose,
            filter=filter,
            forecast=forecast,
        )
        return await self._service.ask(
            AudienceCount, "POST", "/v1/audience/count", body=question, within=_COUNT_WITHIN
        )

    async def find_person(
        self,
        *,
        brand_id: UUID,
        address: str,
        channel: str | None = None,
        account_id: UUID | None = None,
    ) -> Person:
        """Return the person at an address of a channel or of one account of it.

        Raises `ServiceRefused` with status 404 when nobody is known there.
        """
        params = {
            "brand_id": str(brand_id),
            "channel": channel,
            "account_id": None if account_id is None else str(account_id),
            "address": address,
        }
        return await self._service.ask(Person, "GET", "/v1/people", params=params)

    async def get_person(self, brand_id: UUID, person_id: UUID) -> Person:
        """Return a person, or raise `ServiceRefused` with status 404."""
        return await self._service.ask(Person, "GET", _person(brand_id, person_id))

    async def change_person(self, brand_id: UUID, person_id: UUID, change: PersonChange) -> Person:
        """Change what is given and leave the rest."""
        given = change.model_dump_json(exclude_unset=True).encode()
        return await self._service.ask(
            Person,
            "PATCH",
            _person(brand_id, person_id),
            body=given,
            headers={"content-type": "application/json"},
        )

    async def history(
        self, brand_id: UUID, person_id: UUID, *, after: int = 0, limit: int = 200
    ) -> History:
        """Return a person's events in the ledger's order, after the sequence `after`."""
        path = f"{_person(brand_id, person_id)}/history"
        return await self._service.ask(
            History, "GET", path, params={"after": after, "limit": limit}
        )

    async def merges(self, brand_id: UUID, person_id: UUID) -> PersonMerges:
        """Return who became one with a person, or raise `ServiceRefused` with status 404."""
        path = f"{_person(brand_id, person_id)}/merges"
        return await self._service.ask(PersonMerges, "GET", path)

    async def merge(self, order: MergeIn) -> ConsentRecorded:
        """Let two persons be one; `reaches` says what must be halted. `ServiceRefused` as told."""
        return await self._service.ask(ConsentRecorded, "POST", "/v1/merges", body=order)

    async def split(self, order: SplitIn) -> ConsentRecorded:
        """Take a merge back, or raise `ServiceRefused`: `unknown_merge`, `already_split`."""
        return await self._service.ask(ConsentRecorded, "POST", "/v1/splits", body=order)

    async def move(self, order: MoveIn) -> ConsentRecorded:
        """Link a person's new address, without any consent; the old one is out of reach."""
        return await self._service.ask(ConsentRecorded, "POST", "/v1/moves", body=order)

    # Reviews

    async def list_reviews(
        self,
        brand_id: UUID,
        *,
        status: ReviewStatus | None = None,
        after: int = 0,
        limit: int = 200,
    ) -> Reviews:
        """Return a brand's reviews in the ledger's order, after the sequence `after`."""
        params = {"status": status, "after": after, "limit": limit}
        return await self._service.ask(Reviews, "GET", _reviews(brand_id), params=params)

    async def get_review(self, brand_id: UUID, review_id: UUID) -> Review:
        """Return a review, or raise `ServiceRefused` with status 404."""
        return await self._service.ask(Review, "GET", f"{_reviews(brand_id)}/{review_id}")

    async def receipt(self, brand_id: UUID, event_id: UUID) -> SignedReceipt:
        """Return an event's receipt, or raise `ServiceRefused` with 404, or 410 when erased."""
        path = f"/v1/brands/{brand_id}/events/{event_id}/receipt"
        return await self._service.ask(SignedReceipt, "GET", path)

    async def ask_refresh(self, brand_id: UUID, event_id: UUID, *, message_id: UUID) -> Refresh:
        """Have the question of a refresh served, or raise `ServiceRefused`: `refresh_over`."""
        path = f"/v1/brands/{brand_id}/refreshes/{event_id}/question"
        return await self._service.ask(Refresh, "POST", path, body=RefreshIn(message_id=message_id))

    # Imports

    async def begin_import(self, wanted: ImportIn) -> Import:
        """Begin an import, or hear how far it is. Raises `ServiceRefused`: `id_reused`."""
        path = _import(wanted.brand_id, wanted.id)
        return await self._service.ask(Import, "PUT", path, body=wanted)

    async def import_rows(self, brand_id: UUID, import_id: UUID, lot: ImportRows) -> Import:
        """Import some rows; those that were imported already change nothing."""
        path = f"{_import(brand_id, import_id)}/rows"
        return await self._service.ask(Import, "POST", path, body=lot, within=_LOT_WITHIN)

    async def end_import(self, brand_id: UUID, import_id: UUID) -> Import:
        """Say that there are no more rows."""
        return await self._service.ask(Import, "POST", f"{_import(brand_id, import_id)}/end")

    async def get_import(self, brand_id: UUID, import_id: UUID) -> Import:
        """Return how far an import is, or raise `ServiceRefused` with status 404."""
        return await self._service.ask(Import, "GET", _import(brand_id, import_id))

    async def import_aside(
        self, brand_id: UUID, import_id: UUID, *, after: int = 0, limit: int = 200
    ) -> AsideRows:
        """Return which rows brought no consent, after the row `after`."""
        path = f"{_import(brand_id, import_id)}/rows"
        params = {"after": after, "limit": limit}
        return await self._service.ask(AsideRows, "GET", path, params=params)

    # The log

    async def checkpoint(self, brand_id: UUID, *, size: int | None = None) -> LogCheckpoint:
        """Return the newest signed head of a brand's log, or the one of a size."""
        path = f"{_ledger(brand_id)}/checkpoint"
        return await self._service.ask(LogCheckpoint, "GET", path, params={"size": size})

    async def log_entries(
        self, brand_id: UUID, *, begin: int = 0, end: int | None = None, limit: int = 200
    ) -> LogEntries:
        """Return a log's entries from number `begin` to before `end`."""
        asked = {"from": begin, "to": end, "limit": limit}
        path = f"{_ledger(brand_id)}/entries"
        return await self._service.ask(LogEntries, "GET", path, params=asked)

    async def prove(self, brand_id: UUID, event_id: UUID, *, size: int | None = None) -> LogProof:
        """Prove that an event is in the log, or raise `ServiceRefused` with 404 or 409."""
        path = f"{_ledger(brand_id)}/proofs/{event_id}"
        return await self._service.ask(LogProof, "GET", path, params={"size": size})

    async def dossier(self, brand_id: UUID, event_id: UUID, *, size: int | None = None) -> Dossier:
        """Prove an event and what its evidence names, all opened; raises as `prove` does."""
        path = f"{_ledger(brand_id)}/dossiers/{event_id}"
        return await self._service.ask(Dossier, "GET", path, params={"size": size})

    async def state(self, brand_id: UUID, sha256: str) -> Statement:
        """Have a document's hash signed by the key of the brand's log."""
        path = f"{_ledger(brand_id)}/statements"
        return await self._service.ask(Statement, "POST", path, body=StatementIn(sha256=sha256))

    async def compare(self, brand_id: UUID, *, old: int, new: int) -> LogConsistency:
        """Prove that the log of `new` events begins with the one of `old`."""
        path = f"{_ledger(brand_id)}/consistency"
        return await self._service.ask(LogConsistency, "GET", path, params={"from": old, "to": new})

    async def erase(self, brand_id: UUID, person_id: UUID, order: EraseIn) -> Erased:
        """Erase a person; 404 `unknown_person` where another order has done so."""
        path = f"{_person(brand_id, person_id)}/erasure"
        return await self._service.ask(Erased, "POST", path, body=order)

    async def feed(self, *, after: int, limit: int = 500, wait: float = 0.0) -> Feed:
        """Return what became true after `after`; wait so many seconds while there is nothing."""
        return await self._service.ask(
            Feed,
            "GET",
            "/v1/feed",
            params={"after": after, "limit": limit, "wait": wait},
            within=_FEED_WITHIN + wait,
        )


def _import(brand_id: UUID, import_id: UUID) -> str:
    return f"/v1/brands/{brand_id}/imports/{import_id}"


def _person(brand_id: UUID, person_id: UUID) -> str:
    return f"/v1/brands/{brand_id}/people/{person_id}"


def _reviews(brand_id: UUID) -> str:
    return f"/v1/brands/{brand_id}/reviews"


def _ledger(brand_id: UUID) -> str:
    return f"/v1/brands/{brand_id}/ledger"
