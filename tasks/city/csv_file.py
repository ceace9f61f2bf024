"""CSV files of the city's folder, line by line: every mistake is told with file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from warehouse.disk import UnreadableFile, text_of
from warehouse.errors import ConfigurationError


class CityFileError(ConfigurationError):
    """A file of the city's folder that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Line:
    """A line of a file: `number` as an editor shows it, values by column, without blanks around."""

    path: Path
    number: int
    values: dict[str, str]

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{self.path} 第 {self.number} 行"

    def required(self, column: str) -> str:
        """A value that must be there. Raises CityFileError."""
        if not self.values[column]:
            raise CityFileError(f"{self.place}缺少 {column}")
        return self.values[column]

    def day(self, column: str) -> date:
        """A value that is a day. Raises CityFileError."""
        try:
            return date.fromisoformat(self.values[column])
        except ValueError as error:
            raise CityFileError(
                f"{self.place} {column}:“{self.values[column]}”不是日期,应为 2020-03-05 这样的写法"
            ) from error


def csv_lines(path: Path, columns: Sequence[str]) -> list[Line]:
    """The lines of a file with at least these columns; no file is none, and empty lines are left out.

    Raises CityFileError on a file that cannot be read, a missing column, or a line with more values
    than there are columns.
    """
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO(city_text(path), newline=""), skipinitialspace=True)
    missing = [c for c in columns if c not in (reader.fieldnames or ())]
    if missing:
        raise CityFileError(f"{path}: 缺少列 {'、'.join(missing)}。第一行应为 {','.join(columns)}")
    found = []
    for told in reader:
        if told.get(None) is not None:
            raise CityFileError(
                f"{path} 第 {reader.line_num} 行:比表头多出 {told[None]}。"
                "内容中有逗号的,请用英文双引号括起来"
            )
        values = {name: (value or "").strip() for name, value in told.items()}
        if any(values.values()):
            found.append(Line(path, reader.line_num, values))
    return found


def city_text(path: Path) -> str:
    """A file's text. Raises CityFileError."""
    try:
        return text_of(path)
    except UnreadableFile as error:
        raise CityFileError(str(error)) from error
