"""What brands may ask for: one file per resource."""

from typing import Final

from fastapi import APIRouter

from services.gateway.api import (
    accounts,
    brands,
    callbacks,
    campaigns,
    channels,
    consents,
    erasures,
    events,
    exports,
    imports,
    keys,
    ledger,
    media,
    merges,
    messages,
    notices,
    people,
    policy,
    receipts,
    reviews,
    stories,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    brands.router,
    keys.router,
    channels.router,
    accounts.router,
    media.router,
    stories.router,
    campaigns.router,
    messages.router,
    consents.router,
    notices.router,
    imports.router,
    people.router,
    exports.router,
    policy.router,
    receipts.router,
    erasures.router,
    merges.router,
    reviews.router,
    ledger.router,
    callbacks.router,
    events.router,
)
