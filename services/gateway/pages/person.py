"""A person's own page, behind the link that the chat gave them: what holds, and the buttons.

    GET  /p/{token}                        shows; no GET ever changes anything
    POST /p/{token}                        one-click unsubscribing (RFC 8058)
    POST /p/{token}/stop|pause|resume|off|on|about  does it, and shows the page again
    GET  /p/{token}/receipts/{event}       a receipt; with .json the signed one
    GET  /p/{token}/export                 all that is known; with .json as a file
    GET, POST /p/{token}/erase             asks; and does it

Works without a script, tells no other site where somebody came from, and is kept by no cache.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from services.gateway import erasures, exports
from services.gateway.house import House
from services.gateway.links import Link, LinkRefused
from services.gateway.pages import person_deeds, person_view
from services.gateway.pages import person_sheet as sheet
from services.gateway.pages.person_texts import NAMES, Words, choose
from services.gateway.pages.person_zones import ZONES
from services.gateway.queries import keys as brands
from services.gateway.sheets import export
from shared import clock
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.contracts.consent import HistoryEntry, Person
from shared.problems import Problem

ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
_LINES: Final = 1_000
"""Of a history, the newest; a page has an end."""
_PAGE: Final = 200
_LONGEST_ONCE: Final = 64


@dataclass(frozen=True)
class Visit:
    """Somebody who came by a good link, and what is known of them."""

    house: House
    link: Link
    person: Person
    history: tuple[HistoryEntry, ...]
    words: Words
    zone: ZoneInfo
    base: str

    def show(self, told: str | None = None, *, status: int = 200) -> Response:
        """Return the page, with what was done at its top."""
        words, zone = self.words, self.zone
        return sheet.page(
            "person.html",
            status,
            words=words,
            base=self.base,
            once=secrets.token_urlsafe(12),
            told=told,
            person=self.person,
            choices=person_view.choices(self.person, self.history, words, zone),
            records=person_view.records(self.history, words, zone),
            languages=NAMES,
            pauses=person_deeds.PAUSES,
            paused=any(state.paused for state in self.person.consents),
            zones=ZONES,
        )

    async def again(self) -> "Visit":
        """Return the same visit with what holds now."""
        return await _visit(self.house, self.link, self.base)


Deed = Callable[[Visit, FormData], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Serve everybody's own page under /p/."""
    for path, answer, methods in (
        ("/p.css", _style, ["GET"]),
        ("/p/{token}", _shown(_show), ["GET"]),
        ("/p/{token}", _done(_one_click), ["POST"]),
        ("/p/{token}/stop", _done(_stop), ["POST"]),
        ("/p/{token}/pause", _done(_pause), ["POST"]),
        ("/p/{token}/resume", _done(_resume), ["POST"]),
        ("/p/{token}/off", _done(_off), ["POST"]),
        ("/p/{token}/on", _done(_on), ["POST"]),
        ("/p/{token}/about", _done(_about), ["POST"]),
        ("/p/{token}/export", _shown(_export), ["GET"]),
        ("/p/{token}/export.json", _shown(_export_file), ["GET"]),
        ("/p/{token}/erase", _shown(_ask_erase), ["GET"]),
        ("/p/{token}/erase", _done(_erase), ["POST"]),
        ("/p/{token}/receipts/{event_id}.json", _shown(_receipt_file), ["GET"]),
        ("/p/{token}/receipts/{event_id}", _shown(_receipt), ["GET"]),
        ("/p/{token}/{rest:path}", _back, ["GET"]),
    ):
        app.add_route(path, answer, methods=methods, include_in_schema=False)


async def _style(request: Request) -> Response:
    headers = {**sheet.HEADERS, "Cache-Control": "max-age=3600"}
    return FileResponse(sheet.HERE / "person.css", media_type="text/css", headers=headers)


async def _back(request: Request) -> Response:
    """Lead from the address of a button, which a browser remembers, to the page."""
    return RedirectResponse(f"/p/{request.path_params['token']}", 303, headers=sheet.HEADERS)


def _shown(answer: Callable[[Visit, Request], Awaitable[Response]]) -> Any:
    """Answer a GET behind a good link."""

    async def shown(request: Request) -> Response:
        return await _behind_the_link(request, lambda visit: answer(visit, request))

    return shown


def _done(deed: Deed) -> Any:
    """Answer a POST behind a good link, sent from the page itself or by a mailbox."""

    async def done(request: Request) -> Response:
        async def act(visit: Visit) -> Response:
            if _from_elsewhere(request, visit.house):
                return visit.show(visit.words("elsewhere"), status=403)
            return await deed(visit, await request.form())

        return await _behind_the_link(request, act)

    return done


async def _behind_the_link(
    request: Request, answer: Callable[[Visit], Awaitable[Response]]
) -> Response:
    house: House = request.app.state.house
    token = request.path_params["token"]
    asked = _asked(request)
    try:
        link = house.links.read(token, now=clock.now())
        allowance = house.pace.take(link.person_id)
        if not allowance.allowed:
            return sheet.small(asked, asked("again"), status=429, headers=allowance.headers())
        visit = await _visit(house, link, f"/p/{token}")
    except LinkRefused as error:
        return _refused(request, house, asked, expired=error.expired)
    except ServiceRefused:
        return sheet.small(asked, asked("gone_title"), asked("gone_unknown"), status=410)
    except ServiceUnavailable:
        return sheet.small(asked, asked("again"), status=503)
    try:
        return await answer(visit)
    except (ServiceUnavailable, ServiceRefused, Problem):
        return visit.show(visit.words("again"), status=503)


def _refused(request: Request, house: House, asked: Words, *, expired: bool) -> Response:
    """Say why a link leads nowhere; whoever tries many that never were ours has to wait."""
    if expired:
        return sheet.small(asked, asked("gone_title"), asked("gone_expired"), status=404)
    client = request.client.host if request.client is not None else None
    allowance = house.wrong_links.take(client)
    if allowance.allowed:
        return sheet.small(asked, asked("gone_title"), asked("gone_unknown"), status=404)
    headers = {"Retry-After": str(allowance.wait)}
    return sheet.small(asked, asked("slow_title"), asked("slow"), status=429, headers=headers)


async def _visit(house: House, link: Link, base: str) -> Visit:
    person = await house.consent.get_person(link.brand_id, link.person_id)
    while person.merged_into is not None:
        person = await house.consent.get_person(link.brand_id, person.merged_into)
    link = replace(link, person_id=person.id)
    history: list[HistoryEntry] = []
    after: int | None = 0
    while after is not None:
        found = await house.consent.history(link.brand_id, person.id, after=after, limit=_PAGE)
        history = [*history, *found.items][-_LINES:]
        after = found.next
    async with house.database.begin() as session:
        brand = await brands.find_brand(session, link.brand_id)
    language = choose((person.language, *(brand.languages if brand else ())))
    words = Words(language, brand.name if brand else "")
    zone = person_view.zone_of(person, otherwise=brand.timezone if brand else "UTC")
    return Visit(house, link, person, tuple(history), words, zone, base)


async def _show(visit: Visit, request: Request) -> Response:
    return visit.show()


async def _one_click(visit: Visit, form: FormData) -> Response:
    """End all marketing as a mailbox does it for its owner: nothing else can be meant here."""
    name, value = ONE_CLICK
    if form.get(name) != value:
        return visit.show(visit.words("chosen"), status=422)
    return await _stop(visit, form)


async def _stop(visit: Visit, form: FormData) -> Response:
    result = await person_deeds.stop(visit.house, visit.link, visit.person, once=_once(form))
    after = await visit.again()
    if result is None:
        return after.show(after.words("nothing"))
    if person_deeds.gets_marketing(after.person):
        # The form was sent before, and a yes came since: what holds is what the page shows.
        return after.show()
    since = person_view.moment(result.receipt.recorded_at, after.zone)
    return after.show(after.words("stopped", since=since))


async def _pause(visit: Visit, form: FormData) -> Response:
    days = str(form.get("days", ""))
    if days not in person_deeds.PAUSES or not visit.person.addresses:
        return await _told(visit, done=False)
    await person_deeds.pause(
        visit.house, visit.link, visit.person, days=int(days), once=_once(form)
    )
    return await _told(visit, done=True)


async def _resume(visit: Visit, form: FormData) -> Response:
    for known in visit.person.addresses:
        await person_deeds.resume(visit.house, visit.link, known, once=_once(form))
    return await _told(visit, done=bool(visit.person.addresses))


async def _off(visit: Visit, form: FormData) -> Response:
    state = person_deeds.choice(visit.person, str(form.get("choice")))
    if state is None:
        return visit.show()
    await person_deeds.turn_off(visit.house, visit.link, state, once=_once(form))
    return await _told(visit, done=True)


async def _on(visit: Visit, form: FormData) -> Response:
    state = person_deeds.choice(visit.person, str(form.get("choice")))
    if state is None:
        return visit.show()
    await person_deeds.turn_on(visit.house, visit.link, visit.words, state, once=_once(form))
    return await _told(visit, done=True)


async def _about(visit: Visit, form: FormData) -> Response:
    done = await person_deeds.change(
        visit.house,
        visit.link,
        language=str(form.get("language", "")),
        timezone=str(form.get("timezone", "")),
        quiet=None
        if "quiet_from" not in form and "quiet_to" not in form
        else (str(form.get("quiet_from", "")), str(form.get("quiet_to", ""))),
    )
    return await _told(visit, done=done)


async def _told(visit: Visit, *, done: bool) -> Response:
    after = await visit.again()
    if done:
        return after.show(after.words("done"))
    return after.show(after.words("chosen"), status=422)


async def _export(visit: Visit, request: Request) -> Response:
    """Show all that is known of the person, as the brand could export it."""
    link = visit.link
    pieces = await exports.pieces(visit.house, link.brand_id, link.person_id, "html")
    headers = {**export.HEADERS, "Referrer-Policy": "no-referrer"}
    return StreamingResponse(pieces, media_type="text/html; charset=utf-8", headers=headers)


async def _export_file(visit: Visit, request: Request) -> Response:
    link = visit.link
    pieces = await exports.pieces(visit.house, link.brand_id, link.person_id, "json")
    headers = {**sheet.HEADERS, "Content-Disposition": 'attachment; filename="export.json"'}
    return StreamingResponse(pieces, media_type="application/json", headers=headers)


async def _ask_erase(visit: Visit, request: Request) -> Response:
    words = visit.words
    return sheet.small(words, words("erase"), words("erase_more"), base=visit.base, erase=True)


async def _erase(visit: Visit, form: FormData) -> Response:
    words = visit.words
    if form.get("sure") != "yes":
        return sheet.small(
            words, words("chosen"), words("erase_more"), status=422, base=visit.base, erase=True
        )
    link = visit.link
    await erasures.carry_out(visit.house, link.brand_id, link.person_id, "person")
    return sheet.small(words, words("done"), words("erased"))


async def _receipt(visit: Visit, request: Request) -> Response:
    event_id = _own_event(visit, request)
    if event_id is None:
        return visit.show(visit.words("again"), status=404)
    words = visit.words
    signed = await visit.house.consent.receipt(visit.link.brand_id, event_id)
    return sheet.small(
        words,
        words("receipt"),
        words("receipt_more"),
        base=visit.base,
        fields=person_view.receipt_fields(signed, words, visit.zone),
        download=f"{visit.base}/receipts/{event_id}.json",
    )


async def _receipt_file(visit: Visit, request: Request) -> Response:
    event_id = _own_event(visit, request)
    if event_id is None:
        return visit.show(visit.words("again"), status=404)
    signed = await visit.house.consent.receipt(visit.link.brand_id, event_id)
    headers = {
        **sheet.HEADERS,
        "Content-Disposition": f'attachment; filename="receipt-{event_id}.json"',
    }
    return JSONResponse(signed.model_dump(mode="json", exclude_none=True), headers=headers)


def _own_event(visit: Visit, request: Request) -> UUID | None:
    """Return the event that the path names, if it is this person's."""
    told = request.path_params["event_id"]
    return next((entry.id for entry in visit.history if str(entry.id) == told), None)


def _once(form: FormData) -> str:
    """Return what makes a repeat of this very form the same deed."""
    told = str(form.get("once", ""))[:_LONGEST_ONCE]
    return told if told.isascii() and told else secrets.token_urlsafe(12)


def _from_elsewhere(request: Request, house: House) -> bool:
    """Did another site make the browser send this? Mailboxes and scripts name no origin."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin in (None, "null"):
        # `Referrer-Policy: no-referrer` lets some browsers say "null" for our own page.
        return False
    ours = urlsplit(house.settings.public_url)
    return origin not in (f"{ours.scheme}://{ours.netloc}", str(request.base_url).rstrip("/"))


def _asked(request: Request) -> Words:
    """Return the words for somebody of whom nothing is known but what their browser speaks."""
    accepted = request.headers.get("accept-language", "")
    tags = [part.partition(";")[0].strip() for part in accepted.split(",")[:10]]
    return Words(choose(tags), "")
