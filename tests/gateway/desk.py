"""The dispatcher's side of the contract, kept in memory: it records what the gateway tells it."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from uuid import UUID

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.contracts.accounts import AccountChange, AccountSetup, ConnectIn, EndpointIn, EventIn
from shared.contracts.campaigns import CampaignIn, StoryIn
from shared.contracts.forgetting import Forget
from shared.contracts.halts import Halt
from shared.contracts.messages import HouseMessage, MessageIn, ReceiptIn
from shared.problems import Problem, install
from shared.security.service_tokens import ServiceAuth, Verifier

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Desk:
    """What was told; and switches for what a dispatcher can do wrong."""

    def __init__(self, public_key: str):
        self.accounts: dict[UUID, AccountSetup] = {}
        self.connected: dict[UUID, ConnectIn] = {}
        self.stories: dict[tuple[UUID, UUID], dict] = {}
        self.campaigns: dict[tuple[UUID, UUID], dict] = {}
        self.steps: list[tuple[UUID, str]] = []
        self.messages: dict[UUID, MessageIn | HouseMessage] = {}
        self.message_calls = 0
        self.halts: list[Halt] = []
        self.forgotten: list[Forget] = []
        self.unsettled_forgets = 0
        """So many times something is still in flight to whoever shall be forgotten."""
        self.order: list[str] = []
        """Halts and forgettings, in the order in which they came."""
        self.events: dict[UUID, EventIn] = {}
        self.events_told = 0
        self.receipts: dict[UUID, ReceiptIn] = {}
        self.taps: list[str] = []
        self.endpoints: dict[tuple[UUID, UUID], dict] = {}
        self.media: list[tuple[str, str, bytes]] = []
        self.calls: dict[str, int] = defaultdict(int)
        self.down = False
        self.settled = True
        self.halted = asyncio.Event()
        """Set when a halt has arrived."""
        self.answering = asyncio.Event()
        """While it is not set, no call is answered."""
        self.answering.set()
        self._verifier = Verifier({"gateway": public_key}, audience="dispatcher")

    def app(self):
        brand = "/v1/brands/{brand:uuid}"
        routes = [
            Route(f"{brand}/accounts/{{id:uuid}}", self._account, methods=["PUT"]),
            Route(f"{brand}/accounts/{{id:uuid}}", self._change, methods=["PATCH"]),
            Route(f"{brand}/accounts/{{id:uuid}}", self._delete, methods=["DELETE"]),
            Route(f"{brand}/accounts/{{id:uuid}}/connect", self._connect, methods=["POST"]),
            Route(f"{brand}/accounts/{{id:uuid}}/taps", self._tap, methods=["POST"]),
            Route(f"{brand}/accounts", self._states),
            Route(f"{brand}/media", self._media, methods=["POST"]),
            Route(f"{brand}/stories/{{id:uuid}}", self._story, methods=["PUT", "GET"]),
            Route(f"{brand}/campaigns/{{id:uuid}}", self._campaign, methods=["PUT", "GET"]),
            Route(f"{brand}/campaigns/{{id:uuid}}/{{step}}", self._step, methods=["POST"]),
            Route(f"{brand}/messages/{{id:uuid}}", self._message, methods=["PUT"]),
            Route(f"{brand}/receipts", self._receipts, methods=["POST"]),
            Route(f"{brand}/events", self._list_events),
            Route(f"{brand}/events/stream", self._stream),
            Route(f"{brand}/callbacks/{{id:uuid}}", self._endpoint, methods=["PUT"]),
            Route("/v1/halts", self._halt, methods=["POST"]),
            Route("/v1/forgetting", self._forget, methods=["POST"]),
            Route("/v1/events", self._tell, methods=["POST"]),
        ]
        app = FastAPI(routes=routes)
        install(app)
        app.add_middleware(ServiceAuth, verifier=self._verifier)
        return app

    async def _heard(self, request: Request):
        await self.answering.wait()
        if self.down:
            raise Problem(503, "down")
        self.calls[f"{request.method} {request.url.path.rsplit('/', 1)[-1]}"] += 1
        return await request.body()

    async def _account(self, request):
        setup = AccountSetup.model_validate_json(await self._heard(request))
        self.accounts[setup.id] = setup
        return JSONResponse({"id": str(setup.id), "status": "new"}, 201)

    async def _change(self, request):
        AccountChange.model_validate_json(await self._heard(request))
        return JSONResponse({"id": str(request.path_params["id"]), "status": "new"})

    async def _delete(self, request):
        await self._heard(request)
        self.accounts.pop(request.path_params["id"], None)
        return Response(status_code=204)

    async def _connect(self, request):
        where = ConnectIn.model_validate_json(await self._heard(request))
        self.connected[request.path_params["id"]] = where
        state = {"status": "connected", "platform_id": "1", "platform_name": "bot"}
        return JSONResponse({"id": str(request.path_params["id"]), **state})

    async def _tap(self, request):
        self.taps.append(orjson.loads(await self._heard(request))["tap_id"])
        return Response(status_code=202)

    async def _states(self, request):
        await self._heard(request)
        mine = [a for a in self.accounts.values() if a.brand_id == request.path_params["brand"]]
        return JSONResponse({"items": [{"id": str(a.id), "status": "connected"} for a in mine]})

    async def _media(self, request):
        data = await self._heard(request)
        headers = request.headers
        self.media.append((headers["content-type"], headers["x-file-name"], data))
        facts = {"kind": "image", "mime": "image/jpeg", "width": 1, "height": 1}
        sha = {"sha256": "0" * 64, "bytes": len(data)}
        return JSONResponse({"id": str(UUID(int=len(data))), **facts, **sha}, 201)

    async def _story(self, request):
        body = await self._heard(request)
        key = (request.path_params["brand"], request.path_params["id"])
        if request.method == "PUT":
            story = StoryIn.model_validate_json(body)
            known = {"id": str(key[1]), "version": 1, "created_at": AT, "updated_at": AT}
            self.stories[key] = {**story.model_dump(mode="json"), **known, "findings": []}
        if key not in self.stories:
            raise Problem(404, "not_found", "There is no story of this id.")
        return Response(orjson.dumps(self.stories[key]), media_type="application/json")

    async def _campaign(self, request):
        body = await self._heard(request)
        key = (request.path_params["brand"], request.path_params["id"])
        if request.method == "PUT":
            campaign = CampaignIn.model_validate_json(body)
            if (key[0], campaign.story_id) not in self.stories:
                raise Problem(422, "unknown_story", "There is no such story.")
            state = {"id": str(key[1]), "status": "draft", "created_at": AT, "totals": {}}
            self.campaigns[key] = {**campaign.model_dump(mode="json"), **state}
        if key not in self.campaigns:
            raise Problem(404, "not_found", "There is no campaign of this id.")
        return Response(orjson.dumps(self.campaigns[key]), media_type="application/json")

    async def _step(self, request):
        await self._heard(request)
        key = (request.path_params["brand"], request.path_params["id"])
        if key not in self.campaigns:
            raise Problem(404, "not_found", "There is no campaign of this id.")
        self.steps.append((key[1], request.path_params["step"]))
        self.campaigns[key]["status"] = "running"
        return Response(orjson.dumps(self.campaigns[key]), media_type="application/json")

    async def _message(self, request):
        body = orjson.loads(await self._heard(request))
        self.message_calls += 1
        kind = HouseMessage if "id" in body else MessageIn
        message = kind.model_validate(body)
        self.messages.setdefault(request.path_params["id"], message)
        shown = {
            "id": str(request.path_params["id"]),
            "campaign_id": None,
            "account_id": str(message.account_id),
            "person_id": None,
            "address": message.address,
            "purpose": message.purpose,
            "status": "queued",
            "parts": 1,
            "parts_sent": 0,
            "due_at": AT,
            "created_at": AT,
            "updated_at": AT,
        }
        return Response(orjson.dumps(shown), media_type="application/json")

    async def _receipts(self, request):
        for item in orjson.loads(await self._heard(request))["items"]:
            receipt = ReceiptIn.model_validate(item)
            self.receipts[receipt.id] = receipt
        return Response(status_code=202)

    async def _tell(self, request):
        for item in orjson.loads(await self._heard(request))["items"]:
            self.events_told += 1
            event = EventIn.model_validate(item)
            self.events.setdefault(event.id, event)
        return Response(status_code=202)

    async def _halt(self, request):
        self.halted.set()
        order = Halt.model_validate_json(await self._heard(request))
        self.halts.append(order)
        self.order.append("halt")
        return JSONResponse({"cancelled": 0, "settled": self.settled})

    async def _forget(self, request):
        self.forgotten.append(Forget.model_validate_json(await self._heard(request)))
        self.order.append("forget")
        self.unsettled_forgets -= 1
        return JSONResponse({"messages": 0, "events": 0, "settled": self.unsettled_forgets < 0})

    async def _list_events(self, request):
        await self._heard(request)
        items = [
            event.model_dump(mode="json", exclude={"brand_id"})
            for event in self.events.values()
            if event.brand_id == request.path_params["brand"]
        ]
        return JSONResponse({"items": items, "next": None})

    async def _stream(self, request):
        await self._heard(request)
        after = request.query_params.get("after", "")

        async def pieces():
            yield f"id: 1\nevent: message.received\ndata: {after}\n\n".encode()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def _endpoint(self, request):
        endpoint = EndpointIn.model_validate_json(await self._heard(request))
        key = (request.path_params["brand"], request.path_params["id"])
        shown = {"id": str(key[1]), "enabled": True, "created_at": AT, "secret": "whsec_c2VjcmV0"}
        self.endpoints[key] = {**endpoint.model_dump(mode="json"), **shown}
        return Response(orjson.dumps(self.endpoints[key]), media_type="application/json")
