"""How a route gets at the registry."""

from typing import Annotated

from fastapi import Depends, Request

from services.consent.registry import Registry


async def _registry(request: Request) -> Registry:
    # A coroutine, though it waits for nothing: FastAPI sends plain functions to a thread.
    registry: Registry = request.app.state.registry
    if registry.door.shut is not None:
        raise registry.door.shut
    return registry


TheRegistry = Annotated[Registry, Depends(_registry)]
