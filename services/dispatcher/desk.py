"""What the dispatcher's desk works with: made once, when the app starts, and handed down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from channels.base.channel import Channel
from services.dispatcher.accounts import Accounts
from services.dispatcher.store import MediaStore
from shared.clients.consent import ConsentClient
from shared.database import Database
from shared.http import SendingClient
from shared.security.addresses import AddressPolicy
from shared.security.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that is shared by the requests and workers of one process."""

    database: Database
    consent: ConsentClient
    channels: Mapping[str, Channel]
    sealer: Sealer
    addresses: AddressPolicy
    media: MediaStore
    accounts: Accounts
    callbacks: SendingClient
    """Posts to addresses that brands gave."""
    nudge_lane: Callable[[UUID], None] = lambda lane_id: None
    """Look at this lane now, if it is held by this process."""
    nudge_work: Callable[[], None] = lambda: None
    """Look at the list of things to be done now."""
