"""Answers in JSON, made by orjson: the log's pages are large."""

from typing import Any

import orjson
from starlette.responses import JSONResponse


class Json(JSONResponse):
    """A value as JSON."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return orjson.dumps(content)
