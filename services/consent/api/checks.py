"""May these people be written to?"""

from fastapi import APIRouter, Request, Response

from services.consent import check as checking
from services.consent.api import examples
from services.consent.api.access import TheRegistry
from services.consent.question import read_question
from shared.contracts.consent import PermissionQuestion, Permissions

router = APIRouter(tags=["permissions"])


@router.post(
    "/v1/consents/check",
    response_class=Response,
    responses=examples.answers(examples.PERMISSIONS, Permissions),
    openapi_extra=examples.body(PermissionQuestion, examples.QUESTION),
)
async def check(request: Request, registry: TheRegistry) -> Response:
    """Answer for up to 1,000 addresses, in their order, as things stand now.

    An address of which nothing is known is answered `no_consent`, and so is one of an account or a
    brand that the registry was never told of.
    """
    question = read_question(await request.body())
    answer = await checking.check(registry.database, question)
    return Response(answer, media_type="application/json")
