"""Stage 2 of the prose: what a figure counts, and of which kind it is.

The patterns are data in `meanings.yaml`, each with an example. Where none fits, the words
around the figure are given as they stand; where there are none, it is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tasks.audit.characters import THOUSANDS
from tasks.audit.recognise import Number
from warehouse.disk import yaml_of

Kind = Literal[
    "amount", "share", "change", "multiple", "rate", "points", "difference", "other_year"
]

OPENING = ("received", "new_received", "handled")
"""Roles that begin an account of applications."""
_QUOTED = re.compile('[“"][^”"]*[”"]')
_BESIDE = ("case", "review", "litigation")
"""Roles of other matters, which figures have whatever a sentence speaks of."""


@cache
def phrases() -> dict[str, Any]:
    """The phrase file as it stands."""
    loaded: dict[str, Any] = yaml_of(
        (Path(__file__).parent / "meanings.yaml").read_text(encoding="utf-8")
    )
    return loaded


@cache
def pattern(name: str) -> re.Pattern[str]:
    return re.compile(phrases()[name])


@dataclass(frozen=True)
class Meaning:
    """What a phrase says is counted; `role` is what the checks know it by.

    `cells` are sums of cells of the form, each of which the figure may agree with.
    """

    label: str
    role: str = ""
    row: str = ""
    overview: str = ""
    cells: tuple[str, ...] = ()
    pending: str = ""
    all_closed: str = ""
    strict: bool = False
    generic: bool = False


@dataclass(frozen=True)
class Around:
    """What the passage so far says of a figure: whether an account of applications is open
    here (`in_account`), and the role of the amount before."""

    in_account: bool = False
    last_role: str | None = None


@dataclass(frozen=True)
class Rule:
    """One entry of `meanings`, compiled."""

    meaning: Meaning
    wanted: re.Pattern[str]
    context: re.Pattern[str] | None
    excluded: re.Pattern[str] | None
    in_account: re.Pattern[str] | None
    not_in_account: bool
    not_in_sentence: re.Pattern[str] | None
    after: Sequence[str]
    medium: re.Pattern[str] | None
    example: str

    def fits(self, number: Number, around: Around) -> bool:
        return (
            self._is_worded(_QUOTED.sub("“”", number.clause) if self.medium else number.clause)
            and self._is_placed(number, around)
            and (self.medium is None or bool(self.medium.search(_medium(number))))
            and self._has_context(number, around)
        )

    def _is_worded(self, clause: str) -> bool:
        return bool(self.wanted.search(clause)) and not (
            self.excluded and self.excluded.search(clause)
        )

    def _is_placed(self, number: Number, around: Around) -> bool:
        """Whether the rule holds in or outside an account, behind the amount before."""
        if self.in_account and not around.in_account and self.in_account.search(number.clause):
            return False
        if self.after and around.last_role not in self.after:
            return False
        if self.not_in_account and around.in_account:
            return re.search("复议|诉讼", number.sentence) is not None
        return True

    def _has_context(self, number: Number, around: Around) -> bool:
        role = self.meaning.role
        if role and not role.startswith(_BESIDE) and is_other_matter(number):
            return False
        if self.not_in_sentence and self.not_in_sentence.search(number.sentence):
            return False
        # Under a heading about applications 受理申请 needs no more words.
        if around.in_account and role in OPENING and "申请" in number.clause:
            return True
        where = number.sentence if role.startswith(("review", "case")) else number.ahead
        return self.context is None or bool(self.context.search(where + number.clause))


@cache
def rules() -> tuple[Rule, ...]:
    """The meanings in the order in which they are tried."""
    return tuple(map(_rule, phrases()["meanings"]))


def _rule(entry: dict[str, Any]) -> Rule:
    def compiled(name: str) -> re.Pattern[str] | None:
        return re.compile(entry[name]) if name in entry else None

    names = ("label", "role", "row", "overview", "pending", "all_closed", "strict", "generic")
    cells = tuple(entry.get("cells") or [f"t3.{row}.total" for row in [entry.get("row")] if row])
    return Rule(
        meaning=Meaning(cells=cells, **{n: entry[n] for n in names if n in entry}),
        wanted=re.compile(entry["pattern"]),
        context=compiled("context"),
        excluded=compiled("not"),
        in_account=re.compile("") if entry.get("group") else compiled("group_for"),
        not_in_account=bool(entry.get("not_group")),
        not_in_sentence=compiled("sentence_not"),
        after=tuple(entry.get("after", ())),
        medium=compiled("medium"),
        example=entry["example"],
    )


@cache
def others() -> dict[str, Meaning]:
    """What 其他 means at the end of an enumeration, by what is enumerated."""
    return {
        kind: Meaning(entry["label"], entry.get("role", ""), cells=tuple(entry.get("cells", ())))
        for kind, entry in phrases()["others"].items()
    }


def _medium(number: Number) -> str:
    """The medium that the sentence names last before the figure, names in quotes left out."""
    if re.search(r"分别[^,;。]*$", number.ahead) and not pattern("media").search(number.before):
        # 网站、微信…,粉丝数分别为: of which medium, its place in the row says.
        return ""
    beside = [
        re.sub("(?<=.)公众号$", "", medium)
        for medium in pattern("media").findall(_QUOTED.sub("", number.own))
        if medium != "新媒体"
    ]
    if len(set(beside)) > 1 or pattern("media_and_others").search(number.own):
        # 通过网站、微信等共发布: of none of them alone.
        return ""
    named = beside or pattern("media").findall(_QUOTED.sub("", number.sentence))
    return str(named[-1]) if named else ""


def meaning_of_role(role: str) -> Meaning:
    """The first meaning that has the role."""
    return next(rule.meaning for rule in rules() if rule.meaning.role == role)


def worded_meaning(number: Number, around: Around) -> Meaning | None:
    """The first meaning whose words and surroundings fit."""
    if is_by_openness(number):
        return None
    meaning = next((rule.meaning for rule in rules() if rule.fits(number, around)), None)
    if meaning and meaning.role in OPENING and pattern("by_channel").search(number.before):
        return None
    if meaning and meaning.role == "granted" and _with_partial(number):
        return meaning_of_role("granted_or_partially")
    return meaning


def _with_partial(number: Number) -> bool:
    """Whether brackets at a figure say that it holds what is granted in part."""
    return bool(
        pattern("with_partial_behind").match(number.text, number.end)
        or pattern("with_partial_before").search(number.ahead)
    )


def is_by_openness(number: Number) -> bool:
    """Whether documents are counted by how they are open: 印发公文312件,其中依申请公开178件."""
    is_class = pattern("openness").match(number.before) is not None
    return is_class and pattern("documents_made").search(number.sentence) is not None


def _last(wanted: re.Pattern[str], text: str) -> int:
    """Where a pattern begins for the last time in a text; -1 where it does not."""
    return max((match.start() for match in wanted.finditer(text)), default=-1)


def is_other_matter(number: Number) -> bool:
    """Whether a sentence up to a figure's clause speaks of something else than applications."""
    is_other = False
    for part in re.split("[,;:]", number.sentence + number.clause.split("§", 1)[-1]):
        told = _last(pattern("applications"), part), _last(pattern("other_matters"), part)
        is_other = told[1] > told[0] if max(told) >= 0 else is_other
    return is_other


def is_beside_applications(number: Number) -> bool:
    """Whether a sentence up to a figure speaks of other matters alone: 提案66件,不予公开14件."""
    other = pattern("other_matters").search(number.sentence)
    return other is not None and not re.search("依申请|公开申请|申请公开|申请", number.sentence)


def kind_of(number: Number, year: int | None) -> tuple[Kind, int]:
    """What kind of figure it is, and -1 where its words say that it fell."""
    if number.unit in ("个百分点", "百分点"):
        return "points", 1
    way = pattern("change").search(f"{number.before}§")
    sign = -1 if way is not None and way["way"] in phrases()["downward"] else 1
    if number.unit == "倍":
        return ("change" if way else "multiple"), sign
    if number.unit == "%":
        if way or number.sign:
            return "change", sign
        part = _part_kind(number)
        is_earlier = part == "rate" and pattern("prior_rate").search(number.ahead)
        return ("other_year" if is_earlier else part), 1
    compares = re.search(phrases()["change_words"], number.before) is not None
    # 与2023年相比,申请数减少4件
    compares |= pattern("compared_ahead").search(number.sentence) is not None
    # 增加到 and 增至 give the new amount, not the difference.
    if way and compares and not re.search(r"(?:到|至|为)§", f"{number.before}§"):
        return "difference", sign
    return ("other_year" if _is_of_other_year(number, year) else "amount"), 1


def _part_kind(number: Number) -> Kind:
    """A share of a whole, or a rate whose whole is in its name (满意率)."""
    before = f"{number.before}§"
    if pattern("rate").search(before) and "占" not in before:
        return "rate"
    in_brackets = number.ahead.rstrip()[-1:] == "("
    return "share" if pattern("share").search(before) or in_brackets else "rate"


def _is_of_other_year(number: Number, year: int | None) -> bool:
    bracket = pattern("prior_year_bracket").search(number.ahead)
    if bracket and (not bracket["year"] or (year and int(bracket["year"]) < year)):
        return True
    if re.search("结转|转结", number.clause):
        return False
    # 由上年的80件增加到100件: the year belongs to the first of the two.
    own = f"{number.own}§{number.unit}{number.after}"
    other = re.search(
        rf"((?:19|20)\d{{2}})年度?(?!{phrases()['documents_of_a_year']})", _year_words(number)
    )
    is_earlier = bool(other and year and int(other[1]) < year and "截至" not in number.own)
    return is_earlier or pattern("prior_year").search(own) is not None


def _year_words(number: Number) -> str:
    """The words that may name a figure's year: its own, or those that 分别 gives it."""
    has_year = re.match(r"(?:19|20)\d\d年", number.before) is not None
    return number.before if has_year else number.own


def words_of(number: Number) -> str:
    """The words that say what is counted, when no pattern does."""
    tail, filler = pattern("tail"), pattern("filler")

    def bare(text: str) -> str:
        text = text.replace(THOUSANDS, ",")
        return filler.sub("", tail.sub("", re.sub(r"[\d.,]+[^\s\d]?$", "", text))).strip(" “”\"'、")

    own = bare(number.before)
    if len(own) == 1 and "(" in number.own:
        own = number.own.strip("、,;和及与 ")  # 县(市、区)
    behind = re.sub(r"^[的余多]+", "", number.after).strip(" “”\"'")
    if behind and re.match(r"[一-龥《]", behind) and len(own) < 2:
        return behind[:24]
    if len(own) >= 2:
        is_told = behind and number.unit and len(behind) < 13
        return own[-24:] + (f"({behind[:12]})" if is_told else "")
    if not number.unit:
        return ""
    clauses = [bare(c) for c in re.split(r"[,;:]", number.sentence)]
    return next((c[-24:] for c in reversed(clauses) if len(c) >= 2), behind[:24])


def is_subject_free(kind: Kind, before: str) -> bool:
    """Whether a share or change has no subject of its own, and so belongs to the figure before."""
    if kind == "share":
        return not before or pattern("subject_free_share").search(before) is not None
    if kind == "multiple":
        return re.match("是|为|达|约|相当于|的$", before) is not None or not before
    if kind in ("change", "difference"):
        return not before or pattern("subject_free_change").search(before) is not None
    return True
