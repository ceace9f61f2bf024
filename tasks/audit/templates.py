"""The pages of an audit from their templates, which need nothing from outside."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.wording.typeset import typeset
from tasks.wording.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    """Text is escaped, and characters that show nothing are shown as what they are."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(template: str, **values: Any) -> str:
    """A page of this folder's template with its values; `typeset` is there in each."""
    return _environment().get_template(template).render(typeset=typeset, **values)
