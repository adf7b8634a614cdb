"""The dispatcher's HTTP API, one file per resource."""

from services.dispatcher.api import (
    accounts,
    callbacks,
    campaigns,
    events,
    forgetting,
    halts,
    health,
    media,
    messages,
    receipts,
    stories,
    stream,
)

ROUTERS = tuple(
    resource.router
    for resource in (
        accounts,
        media,
        stories,
        campaigns,
        messages,
        halts,
        forgetting,
        receipts,
        stream,
        events,
        callbacks,
        health,
    )
)
