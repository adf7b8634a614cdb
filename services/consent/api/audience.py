"""Who of an audience may be written to?"""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Body, Response

from services.consent import audience
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from services.consent.texts import refuse_nul
from shared.contracts.attributes import Fits
from shared.contracts.audiences import (
    AudienceCount,
    AudiencePage,
    AudienceQuestion,
)
from shared.problems import Problem

router = APIRouter(tags=["audience"])

Question = Annotated[AudienceQuestion, Body(openapi_examples=examples.AUDIENCES)]


@router.post(
    "/v1/audience",
    response_class=Response,
    responses=examples.answers(examples.AUDIENCE_PAGE, AudiencePage),
)
async def page(registry: TheRegistry, question: Question) -> Response:
    """Return one page of those who are meant, in the order of addresses.

    `everyone`, `tags` and `attributes` mean people whom the account has heard of. A page may be
    empty and still have a `next`: with tags or attributes it is where the search stopped.
    """
    _check(question)
    return Response(await audience.page(registry.database, question), media_type="application/json")


@router.post("/v1/audience/count", responses=examples.answers(examples.AUDIENCE_COUNT))
async def count(registry: TheRegistry, question: Question) -> AudienceCount:
    """Count the whole audience; `after` and `limit` are of no meaning here."""
    _check(question)
    return await audience.count(registry.database, question)


def _check(question: AudienceQuestion) -> None:
    meant = question.filter
    chosen = bool(meant.tags) or meant.attributes is not None
    if [bool(meant.everyone), chosen, bool(meant.addresses)].count(True) != 1:
        message = "Name exactly one of everyone, tags and/or attributes, addresses."
        wrong = {"pointer": "/filter", "message": message}
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])
    refuse_nul({"/filter/attributes": "".join(_texts(meant.attributes))})
    refuse_nul({"/after": question.after})
    refuse_nul({f"/filter/tags/{n}": tag for n, tag in enumerate(meant.tags)})
    refuse_nul({f"/filter/addresses/{n}": each for n, each in enumerate(meant.addresses)})


def _texts(wanted: Fits | None) -> Iterator[str]:
    """Yield all that a filter would hand to the database as a text."""
    if wanted is None:
        return
    yield wanted.name or ""
    yield from (each for each in (wanted.is_, *(wanted.one_of or ())) if isinstance(each, str))
    for inner in wanted.below_it():
        yield from _texts(inner)
