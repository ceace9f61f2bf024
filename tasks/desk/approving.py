"""批准: the figures that are approved, the answers that go with them, and the conditions."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from tasks.check import table_versions
from tasks.desk.carried import answers_of, carried
from tasks.desk.matters import Mark, Matters, matters_of
from tasks.editions.edition import Edition
from tasks.editions.store import EditionRow, load_edition, publications
from tasks.publish.conditions import PublishRefused
from tasks.publish.publish import FIGURE_TABLES
from tasks.publish.words import WordsUnfinished, check_words
from tasks.render.findings import rule_title
from tasks.render.overview import OverviewLine, overview_lines
from tasks.settings import Settings
from warehouse.lake import Lake, stored_rows

MOST_LINES = 12
"""Figures at the head of the page; all of them are one click away."""


@dataclass(frozen=True)
class Condition:
    """Something that must hold: the shape of its mark, its name, and what is the case."""

    mark: Mark | str
    word: str
    told: str


@dataclass(frozen=True)
class Question:
    """A rule that blocks and that no record's answer covers: what it says, how often, of which
    organs."""

    code: str
    title: str
    count: int
    organs: str


def headline(lake: Lake, row: EditionRow, root_id: str) -> list[OverviewLine]:
    """The city's figures beside last year's, the first of the narrative."""
    return _headline(lake, lake.catalog.identity(), row, root_id)


@lru_cache(maxsize=16)
def _headline(lake: Lake, _identity: object, row: EditionRow, root_id: str) -> list[OverviewLine]:
    edition = load_edition(lake, row.edition_id, organ_id=root_id)
    lines = [line for line in overview_lines(edition) if line.value and not line.cell.last_year]
    counted = [line for line in lines if line.denominator is None and line.before is not None]
    return (counted or lines)[:MOST_LINES]


def questions(matters: Matters) -> list[Question]:
    """The rules that must be answered here: what blocks and was not answered record by record."""
    covered = answers_of(matters)
    edition = matters.edition
    open_ = [f for f in edition.blocking_findings if f"{f.key}@{f.organ_id}" not in covered]
    found = []
    for code in sorted({f.code for f in open_}):
        of = [f for f in open_ if f.code == code]
        names = list(dict.fromkeys(f.organ_name for f in of))
        organs = "、".join(names[:5]) + (f"等 {len(names)} 个机关" if len(names) > 5 else "")
        found.append(Question(code, rule_title(edition, code) or of[0].message, len(of), organs))
    return found


def ticked(
    lake: Lake, settings: Settings, edition: Edition, marks: Collection[str]
) -> dict[str, str]:
    """The answers that an approver ticked, as an approval is bound to them.

    `marks` are those of the answers as they were shown. Raises PublishRefused where one was not
    ticked, or says something else by now.
    """
    matters = matters_of(lake, settings, edition.id)
    missing = [c for c in carried(matters) if c.mark not in marks]
    if missing:
        named = "、".join(c.matter.name for c in missing[:5])
        raise PublishRefused(
            f"有 {len(missing)} 条答复没有勾选,或在您打开页面以后改过({named})。"
            "请逐条看过、勾选,再填新的验证码"
        )
    return answers_of(matters)


def answers_hash(matters: Matters) -> str:
    """One fingerprint of all answers that go along."""
    told = json.dumps(answers_of(matters), ensure_ascii=False, sort_keys=True)
    return sha256(told.encode()).hexdigest()


def before_it(lake: Lake) -> tuple[str, int | None, str] | None:
    """The publication that the next one follows: its edition, its number, its fingerprint."""
    with lake.read() as connection:
        # A table that never held a row costs the most to ask.
        is_empty = stored_rows(connection).get("yearly.publication", 0) is None
        register = [] if is_empty else publications(connection)
    if not register:
        return None
    last = register[-1]
    return last.edition_id, last.publication_number, last.manifest_hash


def conditions(lake: Lake, settings: Settings, matters: Matters, approver: str) -> list[Condition]:
    """What must hold, as far as it is known at once; the rest is checked before it is published."""
    edition, row = matters.edition, matters.row
    found = []
    trial = next((f for f in edition.trial_findings if f.code == "Y1"), None)
    if trial is not None:
        found.append(Condition("broken", "年度没有结束", f"这是试编,不能发布:{trial.message}"))
    else:
        found.append(Condition("done", "年度已结束", "各来源在期末以后都取过"))
    found.append(_two_persons(settings, row, approver))
    found.append(_handed_over(matters))
    found.append(_unchanged(lake, row))
    found.append(Condition("wait", "没有被改动", "发布前逐数核对指纹,不符的不会发布"))
    try:
        check_words(edition)
    except WordsUnfinished as error:
        found.append(Condition("broken", "文字未完成", str(error)))
    if answers := carried(matters):
        told = f"上面第二项,{len(answers)} 条,看过后勾选"
        found.append(Condition("turn", "带着的答复", told))
    return found


def _two_persons(settings: Settings, row: EditionRow, approver: str) -> Condition:
    built_by = row.built_by
    told = f"编制人{built_by or '没有写明'}" + (f",批准人{approver}" if approver else "")
    if not settings.two_persons:
        return Condition("none", "两个人", f"{told}。本单位没有要求两人")
    if not built_by:
        return Condition("broken", "两个人", "没有写明编制人。请重新编制并填写编制人")
    if built_by == approver:
        return Condition(
            "broken", "两个人", f"{approver}是这一版次的编制人,不能批准。请由另一人批准"
        )
    return Condition("done", "两个人", told)


def _handed_over(matters: Matters) -> Condition:
    step = matters.handed_over
    if step is None:
        return Condition("none", "没有送批准", "经办人还没有送来;可以先看")
    when = f"{step.done_at.month} 月 {step.done_at.day} 日 {step.done_at:%H:%M}"
    return Condition("done", "已送批准", f"{step.person},{when}")


def _unchanged(lake: Lake, row: EditionRow) -> Condition:
    with lake.read() as connection:
        versions: Mapping[str, str] = table_versions(connection)
    is_changed = any(
        int(version.partition("@")[2] or 0) > row.lake_snapshot
        for name, version in versions.items()
        if name.startswith("core.") or name in FIGURE_TABLES
    )
    if not is_changed:
        return Condition("done", "数据没有变", "编制以后没有任何更新")
    return Condition("wait", "数据有更新", "编制以后取过数;发布前逐数核对,有数不同的会停下并写明")
