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
    people,
    policy,
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
    imports.router,
    people.router,
    exports.router,
    policy.router,
    erasures.router,
    merges.router,
    ledger.router,
    callbacks.router,
    events.router,
)
