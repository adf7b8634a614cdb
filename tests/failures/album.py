"""A story that takes more than one call to tell."""

import io
from typing import Any

import aiohttp
from PIL import Image

from tests.failures.brand import Brand

ALBUM = ("sendMediaGroup", "sendMessage")
"""The parts of a story of three pictures: an album, and the call to action."""


async def an_album(brand: Brand) -> dict[str, Any]:
    """Upload three pictures and return the story of them."""
    frames: list[dict[str, Any]] = []
    for colour in ("red", "green", "blue"):
        buffer = io.BytesIO()
        Image.new("RGB", (270, 480), colour).save(buffer, "JPEG")
        form = aiohttp.FormData()
        form.add_field("file", buffer.getvalue(), filename="a.jpg", content_type="image/jpeg")
        media = await brand.call("POST", "/v1/media", data=form)
        frames.append({"media_id": media["id"], "text": colour, "alt": colour})
    frames[-1]["button"] = {"label": "Assaggia", "url": "https://aurora.example/autunno"}
    return {"title": "Album", "language": "it", "frames": frames}
