"""The body of a request, read whole and given on."""

from __future__ import annotations

from starlette.types import Message, Receive


class TooLong(Exception):
    """The body is longer than it may be."""


UPLOADS = "/audit"
"""The one path of the pages that takes files, which are not kept to be sent again."""
MOST_OF_A_FORM = 500_000
"""Bytes of a form that a person fills in; anybody may send one before signing in."""
MOST_OF_A_CALL = 16_000_000
"""Bytes of what runs and workers send to Prefect's interface."""
TOO_LONG = "发来的内容太长,没有收下。请减少所填的文字后再提交"


async def whole_body(receive: Receive, most: int) -> bytes:
    """A request's body. Raises TooLong for one of more than `most` bytes."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        length += len(part)
        if length > most:
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
