"""The baselines of `ingest`: the gateway's app with webhooks answered 200 at once.

`--way ingress` takes them where the gateway takes them, before FastAPI's routing, under the same
guard: the ceiling of the real thing. `--way route` takes them by an ordinary FastAPI route. Neither
has a database, a check or a parser. Prints one JSON line with its port and serves until stopped.
"""

import argparse
import json

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from services.gateway.app import LARGER
from services.gateway.webhooks import PREFIX, Ingress
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
    app = FastAPI(title="bare", docs_url=None, redoc_url=None)
    problems.install(app)
    app.add_middleware(Guard, larger=LARGER)
    if way == "ingress":
        app.add_middleware(Ingress, webhooks=yes, handlers=app.exception_handlers)
        return app

    @app.post(PREFIX + "{channel}/{account_id}")
    async def webhook(channel: str, account_id: str, request: Request) -> Response:
        await request.body()
        return Response()

    return app


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--way", choices=("ingress", "route"), default="ingress")
    [port] = free_ports(1)
    print(json.dumps({"port": port}), flush=True)
    serve(create_app(options.parse_args().way), host="127.0.0.1", port=port)
