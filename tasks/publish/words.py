"""The words of a publication: whether they are complete, and what the audit finds in the file.

A text with places left to fill in is no final text (国办公开办函〔2021〕30号 asks each organ for its
own words): its tables are published, the words are not, unless the city wants neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.audit.run import audit_files
from tasks.editions.edition import Edition
from tasks.editions.wording import Wording
from tasks.render import report, tables_json
from warehouse.errors import EntryError


class WordsUnfinished(EntryError):
    """The city publishes no report without its words, and these are not complete."""


def check_words(edition: Edition) -> None:
    """Raises WordsUnfinished where the city refuses a report whose words are not complete."""
    wording = Wording.of(edition)
    if wording is None or wording.narrative.settings.publication != "refuse":
        return
    words = wording.draft(edition.root)
    if not words.is_complete:
        places = "、".join(dict.fromkeys(s.key for s in (*words.unfilled, *words.missing)))
        raise WordsUnfinished(
            f"版次 {edition.id} 的文字部分尚未完成:待填 {len(words.unfilled)} 处、"
            f"缺数字 {len(words.missing)} 处({places})。请在 Word 中填好,用 nianbao text 读入后重新编制;"
            "只发布表格的,在 narrative.yaml 的 settings 中写 publication: tables_only"
        )


def told_of_words(edition: Edition, folder: Path) -> dict[str, Any]:
    """What the manifest says of the Word file in `folder`: whether its words are final, what they
    lack, and what the edition's own audit finds wrong in it."""
    words = report.drafted(edition)
    found: dict[str, Any] = {"is_final": report.is_clean(edition, words)}
    if words is not None:
        found["unfilled"] = list(dict.fromkeys(span.key for span in words.unfilled))
        found["missing"] = list(dict.fromkeys(span.key for span in words.missing))
    path = folder / "report.docx"
    told = json.loads(json.dumps(tables_json(edition)))
    (audited, *_) = audit_files([path], year=edition.report_year, edition=told)
    failed = [check for check in audited.checks if check.status == "fail"]
    found["audit"] = {
        "checked": len(audited.checks),
        "failed": [{"code": check.code, "message": check.message} for check in failed],
    }
    return found


def words_told(told: Mapping[str, Any]) -> list[list[str]]:
    """The same for the page of a publication: rows of name and text."""
    words = told.get("words")
    if not words:
        return []
    state = "定稿" if words["is_final"] else "未定稿:没有作为正式文本发布,只发布表格"
    lacking = [
        f"{name} {len(words.get(key, []))} 处"
        for key, name in (("unfilled", "待填"), ("missing", "缺数字"))
        if words.get(key)
    ]
    failed = words["audit"]["failed"]
    audit = f"核对 {words['audit']['checked']} 项,全部通过或无从判断"
    if failed:
        named = ";".join(f"{check['code']} {check['message']}" for check in failed)
        audit = f"核对 {words['audit']['checked']} 项,未通过 {len(failed)} 项:{named}"
    return [
        ["文字部分", f"{state}{'(' + '、'.join(lacking) + ')' if lacking else ''}"],
        ["Word 自核", audit],
    ]
