"""The body of a request, read whole and given on."""

from __future__ import annotations

from starlette.types import Message, Receive


class TooLong(Exception):
    """The body is longer than it may be."""


async def whole_body(receive: Receive, most: int | None = None) -> bytes:
    """A request's body. Raises TooLong for one of more than `most` bytes."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        length += len(part)
        if most is not None and length > most:
            raise TooLong
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes: that the asker is gone."""
    told = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receiving() -> Message:
        return next(told, None) or await receive()

    return receiving
