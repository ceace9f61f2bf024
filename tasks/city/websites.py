"""The registry of the city's websites: `websites.csv` of its folder.

One line a website, with what its yearly form says of it (国办函〔2018〕12号: name, address, organ, kind,
identification code, ICP and police numbers); further columns hold vendors' own codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tasks.city.csv_file import CityFileError, Line, csv_lines
from warehouse.tables import table

FILE = "websites.csv"
COLUMNS = tuple(c.name for c in table("core.website").columns)
REQUIRED = ("website_id", "website_name", "home_url", "organ_id", "website_kind", "valid_from")
KINDS = {"portal": "政府门户网站", "department": "部门网站", "special": "专项网站"}
_CODE = re.compile(r"\d{10}")
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")


def read_websites(path: Path, organs: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows of `websites.csv`, in the order of core.website; no file is none. `organs` are the ids
    of the city's organs.

    Raises CityFileError on a missing column, a website without what it must have, an unknown kind
    or organ, a bad date, address or code, a website that is closed before it opens, an id that is
    an organ's, or an id, name, address or code that another line has.
    """
    lines = csv_lines(path, COLUMNS)
    seen: dict[tuple[str, str], int] = {}
    rows = []
    for line in lines:
        values = _website(line, frozenset(organs))
        for column in ("website_id", "website_name", "home_url", "identification_code"):
            other = seen.setdefault((column, str(values[column])), line.number)
            if values[column] and other != line.number:
                raise CityFileError(
                    f"{line.place} {column}:“{values[column]}”与第 {other} 行相同。每个网站只写一行"
                )
        rows.append(tuple(values[column] for column in COLUMNS))
    return rows


def _website(line: Line, organs: frozenset[str]) -> Mapping[str, Any]:
    values: dict[str, Any] = {c: line.values[c] or None for c in COLUMNS}
    for column in REQUIRED:
        line.required(column)
    values |= {c: line.day(c) if values[c] else None for c in ("valid_from", "valid_to")}
    website, kind, code = (values[c] for c in ("website_id", "website_kind", "identification_code"))
    if website in organs:
        raise CityFileError(
            f"{line.place} website_id:{website} 已是机关编号。请换一个编号,如 W{website}"
        )
    if kind not in KINDS:
        known = "、".join(f"{key}({name})" for key, name in KINDS.items())
        raise CityFileError(f"{line.place} website_kind:没有类型 {kind}。可写:{known}")
    if values["organ_id"] not in organs:
        raise CityFileError(
            f"{line.place} organ_id:没有机关 {values['organ_id']}。机关编号见 organs.csv"
        )
    if code and not _CODE.fullmatch(code):
        raise CityFileError(
            f"{line.place} identification_code:“{code}”不是标识码,应为 10 位数字。尚未取得的留空"
        )
    if not _ADDRESS.fullmatch(values["home_url"]):
        raise CityFileError(
            f"{line.place} home_url:“{values['home_url']}”不是网址,应如 http://www.example.gov.cn/"
        )
    if values["valid_to"] and values["valid_to"] < (values["valid_from"] or date.min):
        raise CityFileError(f"{line.place} valid_to:关停日期早于开通日期。请改正其中之一")
    return values
