"""The baselines of `ingest`: the gateway's app with webhooks answered 200 at once.

`--way route` takes them as any FastAPI app does, by a route, under the gateway's guard: the
baseline. `--way short` takes them where the gateway takes them, before FastAPI's routing: the
ceiling of the real thing. Neither has a database, a check or a parser. Prints one JSON line with
its port and serves until stopped.
"""

import argparse
import json

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from services.gateway.app import LARGER
from services.gateway.webhooks import PREFIX, App
from services.local.layout import free_ports
from shared import problems
from shared.server import Guard, serve


async def yes(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and say 200."""
    while (await receive()).get("more_body"):
        continue
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def create_app(way: str) -> FastAPI:
    """Return the bare app."""
    if way == "short":
        ceiling = App()
        ceiling.take_webhooks(yes)
        return ceiling
    app = FastAPI(title="bare", docs_url=None, redoc_url=None)
    problems.install(app)
    app.add_middleware(Guard, larger=LARGER)

    @app.post(PREFIX + "{channel}/{account_id}")
    async def webhook(channel: str, account_id: str, request: Request) -> Response:
        await request.body()
        return Response()

    return app


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--way", choices=("route", "short"), default="route")
    [port] = free_ports(1)
    print(json.dumps({"port": port}), flush=True)
    serve(create_app(options.parse_args().way), host="127.0.0.1", port=port)
