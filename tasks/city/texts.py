"""What organs wrote in the places of the report that are theirs: `texts/<report>.yaml` of the
city's folder, by organ and mark.

Kept year by year: a place that keeps its words takes last year's, the others show them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tasks.city.csv_file import CityFileError
from warehouse.disk import UnreadableFile, text_of, yaml_of
from warehouse.form import Form
from warehouse.lake_errors import unwritable
from warehouse.period import Period

Texts = dict[str, dict[str, str]]
"""What was filled in by organ id, then mark."""
FOLDER = "texts"
HEAD = "# 各机关在年度报告待填处写的文字,按机关编号、待填处编号。可直接改写,或用 nianbao text 从 Word 读入。\n"


def texts_path(city: Path, form: Form, period: Period) -> Path:
    """The file of a report's filled places."""
    return city / FOLDER / f"{form.reference(period)}.yaml"


def read_texts(text: str, place: str) -> Texts:
    """The filled places of a file's text. Raises CityFileError."""
    try:
        found = yaml_of(text) or {}
    except yaml.YAMLError as error:
        raise CityFileError(f"{place}: 不是有效的 YAML:{error}") from error
    if not isinstance(found, Mapping):
        raise CityFileError(f"{place}: 应按机关编号列出待填处的文字")
    return {str(organ): _of_organ(marks, f"{place}: {organ}") for organ, marks in found.items()}


def _of_organ(marks: Any, place: str) -> dict[str, str]:
    if not isinstance(marks, Mapping):
        raise CityFileError(f"{place}: 应按待填处编号写文字,如 L30: 文字")
    for mark, words in marks.items():
        if not isinstance(words, str):
            raise CityFileError(f"{place}.{mark}: 应为文字;数字与日期请加引号")
    return {str(mark): words.strip() for mark, words in marks.items() if words.strip()}


def texts_of(city: Path, form: Form, period: Period) -> Texts:
    """What is filled in for a report; nothing where there is no file. Raises CityFileError."""
    path = texts_path(city, form, period)
    return read_texts(_text(path), str(path)) if path.exists() else {}


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except UnreadableFile as error:
        raise CityFileError(str(error)) from error


def kept_texts(city: Path, form: Form, period: Period) -> dict[str, str]:
    """What an edition keeps of it: `texts` of its own report, `texts_before` the last words of
    each place in earlier ones. As JSON, the same from the same words."""
    before: Texts = {}
    for path in sorted((city / FOLDER).glob(f"{form.prefix}[0-9]*.yaml")):
        if path.stem < form.reference(period):
            for organ, marks in read_texts(_text(path), str(path)).items():
                before.setdefault(organ, {}).update(marks)
    told = {"texts": texts_of(city, form, period), "texts_before": before}
    return {
        name: json.dumps(texts, ensure_ascii=False, sort_keys=True)
        for name, texts in told.items()
        if texts
    }


def keep_texts(
    city: Path, form: Form, period: Period, organ: str, marks: Mapping[str, str]
) -> Path:
    """Write what an organ filled in beside what is there; a mark's words replace its earlier
    ones. Raises CityFileError, and LakeError where the folder cannot be written."""
    path = texts_path(city, form, period)
    texts = texts_of(city, form, period)
    texts[organ] = {**texts.get(organ, {}), **marks}
    told = yaml.safe_dump(texts, allow_unicode=True, sort_keys=True, width=10_000)
    fresh = path.with_suffix(".yaml.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(HEAD + told, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    return path
