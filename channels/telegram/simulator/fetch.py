"""Sending by URL: the platform fetches the file itself, with its own limits and complaints."""

import aiohttp

from channels.base.simulator.requests import Upload
from channels.telegram.simulator.errors import bad_request

PHOTO_BYTES = 5 * 1024 * 1024
OTHER_BYTES = 20 * 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_DOCUMENTS = ("image/gif", "application/pdf", "application/zip")


async def fetch(url: str, kind: str) -> Upload:
    """Fetch a file; a document may be a GIF, a PDF or a ZIP only."""
    most = PHOTO_BYTES if kind == "photo" else OTHER_BYTES
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False) as session,
            session.get(url) as response,
        ):
            if response.status != 200:
                raise bad_request("failed to get HTTP URL content")
            data = b""
            while len(data) <= most and (chunk := await response.content.read(most)):
                data += chunk
            mime = response.content_type
    except aiohttp.InvalidURL as error:
        raise bad_request("wrong HTTP URL specified") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise bad_request("failed to get HTTP URL content") from error
    if len(data) > most:
        raise bad_request("failed to get HTTP URL content")
    if (kind == "document" and mime not in _DOCUMENTS) or mime.startswith("text/"):
        raise bad_request("wrong type of the web page content")
    return Upload(url.rsplit("/", 1)[-1][:64] or kind, mime, data)
