"""The two directions of signing: what we post to the brand's system, and what it posts to us."""

from uuid import UUID

from channels.base.webhook import SignatureMismatch, WebhookRequest
from shared.ids import derived_id
from shared.security import standard_webhooks
from shared.security.standard_webhooks import WrongSignature


def webhook_id(message_id: UUID, part_number: int) -> str:
    """Return the one id of a part, the same for every try: the receiver knows a repeat by it."""
    return f"msg_{derived_id(message_id, f'part/{part_number}').hex}"


def ended_id(message_id: UUID) -> str:
    """Return the one id of the word that a message's story is over."""
    return f"msg_{derived_id(message_id, 'ended').hex}"


def inbound_key(secret: str) -> bytes:
    """Return the key for what the brand's system posts to us.

    `secret` is the account's webhook secret. In the spelling whsec_… it is read as one; any other
    is the key itself, byte for byte, and `connect` hands it over in the spelling whsec_….
    """
    if secret.startswith(standard_webhooks.PREFIX):
        return standard_webhooks.read_secret(secret)
    return secret.encode()


def verify(request: WebhookRequest, secret: str) -> None:
    """Check the signature and the time; without a secret nobody is believed."""
    try:
        if not secret:
            raise WrongSignature("no_secret")
        standard_webhooks.verify(
            [inbound_key(secret)],
            headers=request.headers,
            body=request.body,
            now=request.received_at,
        )
    except (WrongSignature, ValueError) as error:
        raise SignatureMismatch("the signature is missing, wrong or old") from error
