"""Plain text into a document: a line is a paragraph; tables in it are found later."""

from __future__ import annotations

from tasks.audit.document import Block, Document, decode


def read_text(raw: bytes, name: str) -> Document:
    """The lines of a text file, empty ones left out."""
    lines = decode(raw).splitlines()
    return Document(name, "text", tuple(Block(text=line) for line in lines if line.strip()))
