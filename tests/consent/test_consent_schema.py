"""Whatever is sent, the answer is one that the OpenAPI page documents, and never a 5xx."""

import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from services.consent.app import create_app
from tests.consent.consent_house import SIGNER, settings_for
from tests.postgres import Urls

load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ]
)
PAGE = create_app(settings_for("postgresql://nobody@127.0.0.1:1/none")).openapi()
OPERATIONS = [
    (method.upper(), path) for path, methods in PAGE["paths"].items() for method in methods
]


class Signed(requests.auth.AuthBase):
    """Signs what schemathesis made up."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        assert request.url is not None
        assert request.method is not None
        parts = urlsplit(request.url)
        body = request.body or b""
        request.headers["Authorization"] = SIGNER.header(
            audience="consent",
            method=request.method,
            path=parts.path + (f"?{parts.query}" if parts.query else ""),
            body=body.encode() if isinstance(body, str) else body,
        )
        return request


@pytest.fixture(scope="module")
def served(registry_urls: Urls) -> Iterator[str]:
    """The service on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings_for(registry_urls.consent)), log_config=None)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()
    assert not thread.is_alive()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_input_is_a_server_error(served: str, method: str, path: str) -> None:
    operation = schemathesis.openapi.from_dict(PAGE)[path][method]

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def attempt(case: schemathesis.Case) -> None:
        if path == "/v1/feed" and isinstance((case.query or {}).get("wait"), int | float):
            # Whoever asks to wait for news at the end of the feed would wait indeed.
            case.query["wait"] = min(case.query["wait"], 0.01)
        case.call_and_validate(base_url=served, checks=CHECKED, auth=Signed(), timeout=30)

    attempt()
    assert operation.method == method.lower()
