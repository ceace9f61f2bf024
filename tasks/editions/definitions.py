"""Definitions: what decides an edition besides the records it was built from.

They are read from the city's folder and from this version once, used for the build as the
very text that was read, and kept with the edition: years later, when files and program say
something else, the edition can be built again by its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from expectations.rules import Rulebook, rulebook
from tasks.city.fields import SourceField, source_fields
from tasks.city.province import is_province
from tasks.city.published import published_text
from tasks.city.texts import kept_texts
from tasks.editions.narrative.narrative import Narrative, parse_narrative
from tasks.editions.upload import upload_of
from warehouse.disk import text_of, yaml_of
from warehouse.form import Form, form_of, parse_form
from warehouse.layout import Layout, LayoutError, parse_layout
from warehouse.period import Period
from warehouse.reading import Measure, measure_texts, parse_measures

LABELS = {
    "layout": "报表格式",
    "overview": "总体情况数字的口径",
    "published": "已公布的数字",
    "measures": "取数口径",
    "rules": "核对规则",
    "charts": "图表",
    "is_synthetic": "数据性质",
    "form": "报表样式",
    "narrative": "报告文字",
    "sources": "来源字段",
    "upload": "上报表",
    "made_of": "数字的来历",
}
CITIES = "cities"
"""Of what a province's figures are made: of its cities' editions."""


LATER = ("form", "narrative", "sources", "upload", "made_of")
"""What editions of earlier versions do not keep, and can do without."""


@dataclass(frozen=True)
class Definitions:
    """The texts themselves: `layout` and `overview` declare the cells, `measures` the records
    they count, `published` the figures to compare with, `charts` the series, `form` what is
    printed and compared; `rules` are complete with their SQL.

    An edition from before forms were folders keeps no form: it is the annual report's, and its
    layout is read as it was read then. `narrative` are the texts of the report's words, those of
    the form and the city with what was filled in; an edition from before keeps none. `sources` are the fields of the city's systems as rows of
    `SourceField`, `upload` the columns of a province's form. `made_of` says that a province's figures
    are added up of editions of cities; of what is counted of records it says nothing. `not_kept` names the parts that an edition of an earlier
    version did not keep, and that were taken from this version instead.
    """

    layout: str
    overview: str | None
    published: str | None
    measures: Mapping[str, str]
    rules: Rulebook
    charts: str
    is_synthetic: bool
    form: str | None = None
    narrative: Mapping[str, str] | None = None
    sources: tuple[tuple[str, ...], ...] | None = None
    upload: str | None = None
    made_of: str | None = None
    not_kept: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def now(cls, form: Form, city: Path, period: Period) -> Definitions:
        """What is in force for a report: this version's, and the files in the city's folder.

        Raises LayoutError, FormError, MeasureError, CityFileError and RuleError, naming the file
        that cannot be used.
        """
        layout, local = form.texts_of(period, city)
        adds_up = is_province(city)
        rules = rulebook().of_province() if adds_up else rulebook()
        found = cls(
            layout=layout,
            overview=local,
            published=published_text(city / "published" / f"{form.reference(period)}.yaml"),
            measures=measure_texts(city),
            rules=rules.with_checks(form.checks),
            charts=form.charts,
            is_synthetic=is_synthetic_city(city),
            form=form.text,
            narrative=_narrative_now(form, city, period),
            sources=tuple(astuple(field_) for field_ in source_fields(city)),
            upload=form.upload_text(city),
            made_of=CITIES if adds_up else None,
        )
        found.check(form.place)
        return found

    def check(self, place: str) -> None:
        """Raises LayoutError where a layout names a measure or a check that does not exist, and
        UploadError where an upload form names a cell that does not."""
        layout = self.parsed_layout
        upload_of(self.upload, layout)
        for cell in layout.cells.values():
            if cell.measure and cell.measure not in self.measures:
                raise LayoutError(
                    f"{place}: 格式 {layout.name} 的 {cell.key}: 没有取数口径 {cell.measure}。"
                    f"现有:{'、'.join(self.measures)}"
                )
        for equation in layout.equations:
            if equation.code not in self.rules.yearly:
                raise LayoutError(
                    f"{place}: 格式 {layout.name} 的 {equation.table}.balance: 没有核对项 "
                    f"{equation.code}。请用现有代码({'、'.join(self.rules.yearly)}),"
                    "或在 checks 中写明它的名称、级别与办法"
                )

    @classmethod
    def from_data(cls, kept: Mapping[str, Any]) -> Definitions:
        """The definitions that an edition keeps. What an earlier version did not keep is this
        version's, and named."""
        present: dict[str, Any] = {
            "published": None,
            "measures": measure_texts(),
            "rules": rulebook(),
            "charts": form_of().charts,
        }
        found = {name: kept[name] for name in LABELS if name in kept}
        if found.get("sources") is not None:
            found["sources"] = tuple(map(tuple, found["sources"]))
        if "rules" in found:
            found["rules"] = Rulebook.from_data(found["rules"])
        missing = tuple(name for name in present if name not in found)
        return cls(**{**present, **found}, not_kept=missing)

    def as_data(self) -> dict[str, Any]:
        """As JSON values; `from_data` reads them back."""
        data = {name: getattr(self, name) for name in LABELS}
        for name in LATER:
            if data[name] is None:
                del data[name]
        return {**data, "measures": dict(self.measures), "rules": self.rules.as_data()}

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of all of them."""
        text = json.dumps(self.as_data(), ensure_ascii=False, sort_keys=True)
        return sha256(text.encode()).hexdigest()

    def changed(self, other: Definitions) -> list[str]:
        """What is different in `other`, in Chinese."""
        return [
            LABELS[f.name]
            for f in fields(self)
            if f.compare and getattr(self, f.name) != getattr(other, f.name)
        ]

    @cached_property
    def parsed_form(self) -> Form:
        """The form, as this version reads it; the annual report where none is kept."""
        return form_of() if self.form is None else parse_form(self.form)

    @property
    def parsed_layout(self) -> Layout:
        """The layout with the city's own figures and rows."""
        layout = parse_layout(
            self.layout, self.overview, "layout", "overview.yaml", is_early=self.form is None
        )
        return replace(layout, gathers=self.parsed_form.key) if self.made_of == CITIES else layout

    @cached_property
    def parsed_narrative(self) -> Narrative | None:
        """The words, as this version reads them; None where none are kept."""
        if self.narrative is None:
            return None
        return parse_narrative(self.narrative["form"], self.narrative.get("city"))

    @cached_property
    def parsed_sources(self) -> list[SourceField]:
        """The fields of the city's systems; none where they were not kept."""
        return [SourceField(*row) for row in self.sources or ()]

    def as_kept(self, earlier: Definitions | None) -> Definitions:
        """These without what an edition of before did not keep, to be compared with its own."""
        if earlier is None:
            return self
        absent = {n: None for n in LATER if getattr(earlier, n) is None}
        return replace(self, **absent)  # type: ignore[arg-type]

    @cached_property
    def parsed_measures(self) -> Mapping[str, Measure]:
        """The measures by name."""
        return parse_measures(self.measures)


def _narrative_now(form: Form, city: Path, period: Period) -> dict[str, str] | None:
    """The texts of a form's words now, and what organs filled in, this year and before; the words
    are a year's report."""
    files = form.narrative_texts(city) if period.is_year else {}
    if not files:
        return None
    found = {name: text for name, (_, text) in files.items()}
    place, text = files["form"]
    local_place, local = files.get("city", ("", None))
    # Checked where it was read, so that a mistake is told with its file and line.
    narrative = parse_narrative(text, local, place, local_place)
    name = form.layout_of(period).name
    narrative.check(form.layout(name, form.overview_path(city)))
    return found | kept_texts(city, form, period)


def is_synthetic_city(city: Path) -> bool:
    """Whether the city's folder says that its records are made up (`city.yaml`)."""
    path = city / "city.yaml"
    if not path.exists():
        return False
    said = (yaml_of(text_of(path)) or {}).get("synthetic")
    return str(said).lower() in ("true", "yes", "on", "1")
