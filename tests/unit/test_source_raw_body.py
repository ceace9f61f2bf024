"""Bodies that are sent as they are written, and digests that Chinese gateways ask for."""

from __future__ import annotations

import pytest

from tasks.sources import raw_body
from tasks.sources.auth import _hashed, _keyed
from tasks.sources.errors import SourceContractError
from tasks.sources.exchange import Request

ENVELOPE = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
<s:Body><q:query xmlns:q="urn:q" type="x"><q:pageNo>1</q:pageNo><size/><since></since>{token}</q:query></s:Body></s:Envelope>"""


def test_parameters_go_into_the_elements_of_their_names() -> None:
    found = raw_body.with_values(ENVELOPE, {"pageNo": 3, "size": 50, "since": "a<b"})
    assert "<q:pageNo>3</q:pageNo>" in found
    assert "<size>50</size>" in found
    assert "<since>a&lt;b</since>" in found
    assert raw_body.given(found)["pageNo"] == "3"


def test_a_place_is_filled_and_what_nothing_fills_is_sent_empty() -> None:
    assert ">T</q:query>" in raw_body.with_values(ENVELOPE, {"token": "T"})
    assert "<since></since></q:query>" in raw_body.sent(ENVELOPE)
    assert raw_body.filled("{a} und {b}", {"a": 1}) == "1 und {b}"


def test_a_parameter_without_a_place_is_named() -> None:
    with pytest.raises(SourceContractError, match="参数 nothing 的位置"):
        Request("http://x.example", "POST", body=ENVELOPE, body_type="xml").with_values(
            {"nothing": 1}, "body"
        )


def test_sm3_is_that_of_the_standard() -> None:
    # GB/T 32905-2016, appendix A.1.
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert _hashed("sm3", b"abc").hex() == expected
    # HMAC over it as RFC 2104 says: twice hashed, the key padded to 64 bytes.
    key = b"secret".ljust(64, b"\0")
    inner = _hashed("sm3", bytes(k ^ 0x36 for k in key) + b"abc")
    outer = _hashed("sm3", bytes(k ^ 0x5C for k in key) + inner)
    assert _keyed("sm3", b"secret", b"abc") == outer
