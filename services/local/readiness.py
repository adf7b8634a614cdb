"""Ask a program on this machine whether it is ready."""

import asyncio


async def answers_ok(host: str, port: int, path: str, *, within: float = 2.0) -> bool:
    """Say whether a GET is answered with 200 in time."""
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return False
    return status.split(b" ", 2)[1:2] == [b"200"]
