"""Streams of pieces: a byte for the kind of each, four for its length, and the piece. The last says how it ended."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fastapi.responses import StreamingResponse

from daemon.core.failures import Failure

END = 3
"""The kind of the last piece; the others are in daemon/sandbox/attachment.py."""
_NOT_CARRIED = 70
"""The exit code where something of ours failed, and no program has ended."""


def piece(kind: int, data: bytes) -> bytes:
    """Return one piece as it is sent."""
    return bytes([kind]) + len(data).to_bytes(4, "big") + data


def stream_of(said: AsyncIterator[tuple[int, bytes]], outcome: Callable[[], Mapping[str, Any]]) -> StreamingResponse:
    """Return the answer that carries what is said, and then how it ended; a failure on the way is told in that."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for kind, data in said:
                yield piece(kind, data)
            told = dict(outcome())
        except Failure as failure:  # the answer has begun
            told = {"code": _NOT_CARRIED, "problem": failure.message}
        yield piece(END, json.dumps(told).encode())

    return StreamingResponse(pieces(), media_type="application/octet-stream")
