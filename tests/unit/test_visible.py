"""What cannot be seen in a text, or orders a program about, is shown as what it is."""

from __future__ import annotations

import io
import unicodedata

from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tasks.wording.visible import as_markup, visible


def test_what_is_seen_stays() -> None:
    for text in ("粤府公开〔2020〕12号", "R-1 [a] <b>", "第1行\n第2行\t列", "𠮷野家 𝄞", ""):
        assert visible(text) == text


def test_what_is_not_seen_is_shown() -> None:
    assert visible("公开\x0b2号") == "公开␋2号"
    assert visible("\x1b[31m红") == "␛[31m红"
    assert visible("abc\u202egnp.exe") == "abc<U+202E>gnp.exe"
    assert visible("\ud800\uffff\x85") == "\ufffd\ufffd\ufffd"


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_whatever_comes_can_be_written_and_read_by_people(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO")]
    shown.encode()
    Document().add_paragraph().add_run(shown)
    assert visible(shown) == shown


def test_a_terminals_table_takes_no_orders() -> None:
    written = io.StringIO()
    Console(file=written, width=80).print(as_markup("[bold]A[/bold]\x1b]0;title\x07"))
    assert written.getvalue() == "[bold]A[/bold]␛]0;title␇\n"
