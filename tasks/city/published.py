"""Figures that the city published elsewhere: `published/<year>.yaml` in the city's folder."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from tasks.city.csv_file import CityFileError
from warehouse.disk import UnreadableFile, text_of, yaml_of


@dataclass(frozen=True)
class PublishedFigure:
    """A figure as it was printed, with so many decimals."""

    key: str
    value: Decimal
    decimals: int = 0


def published_text(path: Path) -> str | None:
    """The text of the file, None where there is none. Raises CityFileError when it cannot be
    used."""
    if not path.exists():
        return None
    try:
        text = text_of(path)
    except UnreadableFile as error:
        raise CityFileError(str(error)) from error
    read_published(text, str(path))
    return text


def read_published(text: str, place: str = "published") -> list[PublishedFigure]:
    """The figures of such a text: `figures` with key, value and decimals.

    Raises CityFileError, naming `place`, when the text is not of that form.
    """
    try:
        return [
            PublishedFigure(
                figure["key"] if "." in figure["key"] else f"overview.{figure['key']}",
                Decimal(str(figure["value"])),
                int(figure.get("decimals", 0)),
            )
            for figure in yaml_of(text)["figures"]
        ]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise CityFileError(f"{place}: 应有 figures 列表,每项含 key 与 value:{error!r}") from error
