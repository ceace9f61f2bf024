"""The words of an edition: the draft of each of its organs, and what is to be told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from expectations.rules import Rulebook
from tasks.editions.definitions import Definitions
from tasks.editions.edition import OWN, CellValue, Edition, Finding, Organ, Scope
from tasks.editions.figures import why_not_provided
from tasks.editions.narrative.draft import Draft, Facts, draft
from tasks.editions.narrative.narrative import CHILDREN, Narrative, text_cells
from tasks.editions.tabulate import Tabulation
from warehouse.layout import Cell

MISSING, UNFILLED, ALIKE, LOOK = "N1", "N2", "N3", "N4"
"""The checks of the words, as `expectations/yearly.yaml` describes them."""
SHORTEST_ALIKE = 12
"""Characters: a shorter sentence may well be the same by chance."""


@dataclass(frozen=True)
class Wording:
    """All that the words of an edition are made of. `texts` are the places filled in by organ
    and mark, `texts_before` the last ones of earlier reports."""

    narrative: Narrative
    definitions: Definitions
    year: int
    organs: tuple[Organ, ...]
    root_id: str
    cells: Mapping[tuple[str, Scope], Mapping[str, CellValue]]
    last_year: Mapping[str, CellValue]
    is_own: bool = False
    """Whether the figures are an organ's own, without those of the organs below it."""

    @classmethod
    def of(cls, edition: Edition) -> Wording | None:
        """The words of an edition; None where it keeps none."""
        definitions = edition.definitions
        narrative = definitions.parsed_narrative if definitions else None
        if definitions is None or narrative is None:
            return None
        return cls(
            narrative,
            definitions,
            edition.report_year,
            edition.organs,
            "" if edition.part_scope else edition.root.id,
            edition.cells,
            edition.last_year,
            edition.part_scope == "own",
        )

    @classmethod
    def of_tabulation(
        cls, definitions: Definitions, done: Tabulation, last_year: Mapping[str, CellValue]
    ) -> Wording | None:
        """The words of an edition that is being built; None where there are none."""
        narrative = definitions.parsed_narrative
        if narrative is None:
            return None
        tree = done.tree
        return cls(
            narrative,
            definitions,
            done.period.year,
            tree.organs,
            tree.root.id,
            done.cells,
            last_year,
        )

    @cached_property
    def texts(self) -> dict[str, dict[str, str]]:
        return self._kept("texts")

    @cached_property
    def texts_before(self) -> dict[str, dict[str, str]]:
        return self._kept("texts_before")

    def _kept(self, name: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = json.loads(
            (self.definitions.narrative or {}).get(name, "{}")
        )
        return found

    @cached_property
    def known(self) -> dict[str, Cell]:
        """Every figure that words may ask for."""
        cells = self.definitions.parsed_layout.cells
        count = Cell(CHILDREN, "organ", "children", "", "所属机关数")
        return {**cells, **text_cells(self.narrative, cells), CHILDREN: count}

    def draft(self, organ: Organ) -> Draft:
        """The draft of an organ's report."""
        figures = dict(self.cells[(organ.id, "rolled_up")])
        figures[CHILDREN] = CellValue(Decimal(self._below(organ.id)))
        words = self.narrative.words_of(organ.name, organ.kind)
        if self.is_own:
            words = {**words, "area": OWN, "all_organs": ""}
        is_root = organ.id == self.root_id
        facts = Facts(
            year=self.year,
            layout=self.definitions.parsed_layout.name,
            kind=organ.kind,
            words={**words, "year": str(self.year), "organ": organ.name},
            # What no source provides is as if it were not declared: no sentence waits for it.
            cells={
                key: cell
                for key, cell in self.known.items()
                if not why_not_provided(cell, figures.get(key))
            },
            figures=figures,
            before=self.last_year if is_root else self._before(figures),
            is_root=is_root,
            has_last_year=self._has_last_year(figures, is_root),
            filled=self.texts.get(organ.id, {}),
            filled_before=self.texts_before.get(organ.id, {}),
        )
        return draft(self.narrative, facts, organ.id)

    def _has_last_year(self, figures: Mapping[str, CellValue], is_root: bool) -> bool:
        if is_root:
            return any(value.value for value in self.last_year.values())
        cells = self.definitions.parsed_layout.cells.values()
        return any(
            figures[c.key].denominator is not None
            for c in cells
            if c.change_on_year and c.key in figures
        )

    def _before(self, figures: Mapping[str, CellValue]) -> dict[str, CellValue]:
        """Last year's figures of an organ below the root, as far as this year's tell them: the base
        of what changed, and what is printed of last year. They are reckoned through this year's
        organs, as the tables are, so that words and tables tell of the same change."""
        found: dict[str, CellValue] = {}
        for key, cell in self.definitions.parsed_layout.cells.items():
            told = figures.get(key)
            if told is None:
                continue
            if cell.change_on_year and told.denominator is not None:
                found[cell.change_on_year] = CellValue(told.denominator)
            elif cell.last_year and told.value is not None:
                found[cell.last_year] = told
        return found

    def _below(self, organ_id: str) -> int:
        inside = {organ_id}
        for organ in self.organs:
            if organ.parent_id in inside:
                inside.add(organ.id)
        return len(inside) - 1


def word_findings(rules: Rulebook, wording: Wording | None) -> Iterator[Finding]:
    """What is to be told of the words: of the root's draft what is missing, not filled in, to be
    looked at; of every organ what it wrote as another did, or as it did before (国办公开办函
    〔2021〕30号: 内容雷同)."""
    if wording is None or UNFILLED not in rules.yearly:
        return
    root = wording.organs[0]
    notes = wording.draft(root).notes
    for number, note in enumerate(notes):
        if note.kind == "missing":
            told = f"报告文字缺数字：{note.told}（{note.place}，{note.key}）"
            yield _finding(rules, MISSING, f"{note.sentence}.{note.key}", root, told)
        elif note.kind in ("check", "last_year"):
            told = f"{note.told}（{note.place}，{note.sentence}）"
            key = f"{note.sentence}.{note.kind}.{note.key or number}"
            yield _finding(rules, LOOK, key, root, told)
    unfilled = list(dict.fromkeys(note.key for note in notes if note.kind == "unfilled"))
    if unfilled:
        told = f"报告文字有 {len(unfilled)} 处待填：{'、'.join(unfilled)}。填好之前文字部分不能发布"
        yield _finding(rules, UNFILLED, "text", root, told)
    yield from _alike(rules, wording)


def _finding(rules: Rulebook, code: str, key: str, organ: Organ, told: str) -> Finding:
    return Finding(
        code=code,
        key=f"{code}.{key}",
        organ_id=organ.id,
        organ_name=organ.name,
        severity=rules.describe(code).severity,
        status="fail",
        message=told,
    )


def _alike(rules: Rulebook, wording: Wording) -> Iterator[Finding]:
    """Filled places with a sentence that stands in another organ's, or in the organ's own of
    earlier years; places that keep their words are meant to repeat."""
    keeps = {
        sentence.id
        for template in wording.narrative.templates.values()
        for paragraph in template.paragraphs()
        for sentence in paragraph.sentences
        if sentence.keeps
    }
    organs = {organ.id: organ for organ in wording.organs}
    first: dict[str, str] = {}
    for organ_id in organs:
        earlier = {
            bare
            for words in wording.texts_before.get(organ_id, {}).values()
            for bare, _ in _sentences(words, organs[organ_id].name)
        }
        for mark, words in sorted(wording.texts.get(organ_id, {}).items()):
            if mark.partition(".")[0] in keeps:
                continue
            written = enumerate(_sentences(words, organs[organ_id].name), 1)
            for number, (bare, sentence) in written:
                other = first.setdefault(bare, organ_id)
                if other != organ_id:
                    told = f"{mark} 所填“{sentence}”与{organs[other].name}所填雷同，请改写"
                    key = f"{mark}.{number}.{other}"
                    yield _finding(rules, ALIKE, key, organs[organ_id], told)
                elif bare in earlier:
                    told = f"{mark} 所填“{sentence}”与以前年度所填雷同，请改写"
                    yield _finding(rules, ALIKE, f"{mark}.{number}", organs[organ_id], told)


def _sentences(words: str, organ: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text that are long enough to tell: bare of names, digits and marks, and
    as they were written."""
    bare_name = re.sub("(人民政府|办事处|管理委员会|管委会)$", "", organ)
    for sentence in re.split(r"[。！？；;\n]", words):
        bare = sentence.replace(organ, "").replace(bare_name, "")
        bare = re.sub(r"我[市县区镇乡局]|我街道|本机关|[\W\d_]", "", bare)
        if len(bare) >= SHORTEST_ALIKE:
            yield bare, sentence.strip()
