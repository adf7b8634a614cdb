"""What the house says about itself: one JSON line per outcome, and figures for Prometheus."""

import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from prometheus_client import start_http_server
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRETS = re.compile(
    r"(?P<bot>\bbot)?\d{5,}:[A-Za-z0-9_-]{20,}"  # a Telegram token, bare or in a path
    r"|(?P<path>\bbot)\d+:[\w-]+"
    r"|(?P<scheme>\b(?:Bearer|Service|Basic)\s+)[^\s\"',]+"
    r"|(?P<parameter>\b(?:access_token|app_secret|appsecret|secret|api_key|token)=)[^\s&\"']+"
    r"|(?P<login>://[^\s:/@]+:)[^\s@/]+(?=@)",
    re.IGNORECASE,
)
_HIDDEN = "[redacted]"


def scrub(text: str) -> str:
    """Return the text with tokens, keys and passwords taken out."""
    return _SECRETS.sub(
        lambda found: (found[found.lastgroup] if found.lastgroup else "") + _HIDDEN, text
    )


def configure(service: str, *, level: str = "info", pretty: bool = False) -> None:
    """Send every log of this process, ours and the libraries', to stdout as JSON.

    `pretty` asks for colours instead, where stdout is a terminal.
    """
    render: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty and sys.stdout.isatty()
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name(service),
        structlog.processors.format_exc_info,
        _scrub_all,
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*common, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(common, render, number)


def _adopt_standard_logging(common: list[Processor], render: Processor, level: int) -> None:
    """Let the libraries' loggers speak like ours."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    # One line per request is the proxy's to write; ours are about outcomes.
    for chatty in ("uvicorn.access", "httpx", "httpcore", "aiogram", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").propagate = False


def serve_metrics(port: int, host: str = "127.0.0.1") -> Callable[[], None]:
    """Serve /metrics from a thread of its own, and return what stops it; port 0 serves none."""
    if not port:
        return lambda: None
    server, thread = start_http_server(port, addr=host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)

    return stop


def _name(service: str) -> Processor:
    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _scrub_all(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        event[key] = _scrub_value(value)
    return event


def _scrub_value(value: Any) -> Any:
    """Scrub texts wherever they are; other values pass, exceptions as their scrubbed text."""
    match value:
        case str():
            return scrub(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {key: _scrub_value(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_scrub_value(each) for each in value]
        case _ if isinstance(value, logging.LogRecord):
            return value
        case _:
            return scrub(str(value))


def _to_json(event: EventDict, **options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
