"""Forms: what is reported, as a folder of data each.

The annual report is the first; the shipped forms lie in `warehouse/forms/`, a city's own in
`forms/` of its folder. A form knows its layouts by year, its sections in print, its charts and
its statutory days; nothing else in the program knows a form by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from pydantic import ValidationError

from warehouse.declared import explained, parsed
from warehouse.disk import UnreadableFile, text_of
from warehouse.errors import ConfigurationError, EntryError
from warehouse.form_file import ANNUAL_REPORT, Check, Deadline, FormFile, Section
from warehouse.layout import Layout, LayoutError, parse_layout
from warehouse.layout_file import Table
from warehouse.period import Period

__all__ = [
    "ANNUAL_REPORT",
    "Check",
    "Deadline",
    "Form",
    "FormError",
    "NoForm",
    "Section",
    "form_of",
    "forms",
    "layout_names",
    "layout_of_year",
    "load_layout",
    "parse_form",
]

FORMS = Path(__file__).parent / "forms"


class FormError(ConfigurationError):
    """A form's file that cannot be used; the message names file, key and remedy."""


class NoForm(EntryError):
    """There is no such form; the message names those there are."""


@dataclass(frozen=True)
class Form:
    """A form; see `FormFile` for what it says. `text` is its declaration, kept with editions.
    `folder` is where its layouts and charts lie; a form kept with an edition has none."""

    declared: FormFile
    text: str = field(repr=False)
    folder: Path | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        return self.declared.key

    @property
    def title(self) -> str:
        return self.declared.title

    @property
    def short_title(self) -> str:
        return self.declared.short_title

    @property
    def prefix(self) -> str:
        return self.declared.prefix

    @property
    def sections(self) -> tuple[Section, ...]:
        return self.declared.sections

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        return self.declared.deadlines

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.declared.checks

    @property
    def figures_heading(self) -> str:
        """Over the figures of the narrative; empty for a form without any."""
        return next((s.heading for s in self.sections if s.figures), "")

    def reference(self, period: Period) -> str:
        """A report of this form: 2020, website-report-2020. Ids, keys and files begin so."""
        return f"{self.prefix}{period.key}"

    def named(self, period: Period) -> str:
        """A report of this form in a message: 2020 年年度报告."""
        short_title = self.short_title
        if not period.is_year:
            short_title = self.declared.span_short_title or short_title
        return f"{period.label}{short_title}"

    def title_of(self, period: Period) -> str:
        """What a report of this form over a period is called; an annual report is one of a year."""
        return self.title if period.is_year else self.declared.span_title or self.title

    def has_rules_of(self, table: str) -> bool:
        """Whether the rules of a core table bear on this form."""
        return self.declared.records is None or table in self.declared.records

    def has_filed(self, cell: str) -> bool:
        """Whether organs file this cell themselves."""
        return cell.partition(".")[0] in self.declared.filed

    def printed(self, layout: Layout, period: Period) -> list[tuple[Section, list[Table]]]:
        """The sections in order, each with those of its tables that this layout has. The words are
        a year's: over another span sections that are words only are not printed."""
        return [
            (s, _tables_of(s, layout))
            for s in self.sections
            if period.is_year or s.tables or s.figures
        ]

    def tables(self, layout: Layout) -> list[Table]:
        """The tables of a layout in the order of print."""
        return [table for s in self.sections for table in _tables_of(s, layout)]

    @property
    def layout_paths(self) -> dict[str, Path]:
        """The layouts by name, oldest first. Raises FormError for a form without any."""
        folder = self._folder / "layouts"
        found = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        if not found:
            raise FormError(f"{folder}: 没有报表格式。请放入按年度命名的 YAML 文件,如 2019.yaml")
        return found

    @property
    def _folder(self) -> Path:
        if self.folder is None:
            raise ValueError(f"form {self.key} was kept with an edition and has no folder")
        return self.folder

    def overview_path(self, city: Path | None) -> Path | None:
        """The city's file of narrative figures and local rows; None where there is none."""
        if city is None or self.declared.overview is None:
            return None
        path = city / self.declared.overview
        return path if path.exists() else None

    def narrative_texts(self, city: Path | None) -> dict[str, tuple[str, str]]:
        """The files of its words by `form` and `city`, each with its place and text; empty for a
        form without. Raises FormError."""
        name = self.declared.narrative
        if name is None:
            return {}
        paths = {"form": self._folder / name, **({"city": city / name} if city else {})}
        if not paths["form"].exists():
            raise FormError(f"{self.place}: narrative: 没有 {paths['form']}")
        try:
            return {key: (str(p), text_of(p)) for key, p in paths.items() if p.exists()}
        except UnreadableFile as error:
            raise FormError(str(error)) from error

    def upload_text(self, city: Path | None) -> str | None:
        """The columns of the form that is uploaded: the city's file, else the form's, if any.
        Raises FormError."""
        paths = [city / f"{self.prefix}upload.yaml"] if city else []
        paths += [self.folder / "upload.yaml"] if self.folder else []
        for path in paths:
            if path.exists():
                try:
                    return text_of(path)
                except UnreadableFile as error:
                    raise FormError(str(error)) from error
        return None

    def layout(self, name: str, overview: Path | None = None) -> Layout:
        """A layout by name, with a city's narrative figures and local rows if `overview` is
        given. Raises LayoutError, and FormError when the sections do not fit its tables."""
        path = self.layout_paths.get(name)
        if path is None:
            raise LayoutError(f"{self._folder / 'layouts'}: 没有报表格式 {name}")
        layout = parse_layout(
            _layout_text(path),
            _layout_text(overview) if overview else None,
            str(path),
            str(overview or ""),
        )
        self._check_sections(layout, path)
        return layout

    def layout_of(self, period: Period, overview: Path | None = None) -> Layout:
        """The layout in force for a period. Raises LayoutError for one before the form existed."""
        layouts = [self.layout(name) for name in self.layout_paths]
        for layout in layouts:
            if period.year in layout.years:
                return self.layout(layout.name, overview) if overview else layout
        raise LayoutError(
            f"{period.label}没有适用的{self.short_title}格式;现有格式从 {self.first_year} 年起"
        )

    @property
    def first_year(self) -> int:
        """The first year that has a layout."""
        return min(self.layout(name).years.first for name in self.layout_paths)

    def texts_of(self, period: Period, city: Path) -> tuple[str, str | None]:
        """The declarations of a period's layout and of the city's own figures and rows, to be
        kept with an edition. Raises LayoutError and FormError as `layout` does."""
        overview = self.overview_path(city)
        name = self.layout_of(period, overview).name
        self._check_local_rows(overview)
        return _layout_text(self.layout_paths[name]), _layout_text(overview) if overview else None

    @property
    def charts(self) -> str:
        """The declaration of its charts; none is an empty list."""
        path = self._folder / "charts.yaml"
        try:
            return text_of(path) if path.exists() else "[]"
        except UnreadableFile as error:
            raise FormError(str(error)) from error

    @property
    def place(self) -> str:
        """Where it is declared, for messages."""
        return str(self.folder / "form.yaml") if self.folder else "form.yaml"

    def _check_sections(self, layout: Layout, path: Path) -> None:
        listed = [key for section in self.sections for key in section.tables]
        for key in listed:
            if listed.count(key) > 1:
                raise FormError(f"{self.place}: sections: 表 {key} 列了两次,请只留一处")
        for table in layout.tables:
            if table.key not in listed:
                raise FormError(
                    f"{self.place}: sections: 没有列出 {path.name} 中的表 {table.key}({table.title})。"
                    "请写入某一节的 tables"
                )

        for section in self.sections:
            for key in section.tables if section.joined else ():
                if any(table.key == key and table.print != "list" for table in layout.tables):
                    raise FormError(
                        f"{self.place}: sections: {section.heading} 写了 joined,"
                        f"{path.name} 中的表 {key} 须为 print: list"
                    )

    def _check_local_rows(self, overview: Path | None) -> None:
        """A local row must find its place in some layout of the form, or nobody would see it."""
        if overview is None:
            return
        placed: set[int] = set()
        rows: tuple[str, ...] = ()
        for name in self.layout_paths:
            layout = self.layout(name, overview)
            placed |= set(layout.placed_rows)
            rows = layout.local_rows
        for at, row in enumerate(rows):
            if at not in placed:
                raise LayoutError(
                    f"{overview}: added_rows: {row}。请核对 table、block 与 after 所写的键"
                )


def _tables_of(section: Section, layout: Layout) -> list[Table]:
    """The tables of a section that a layout has, in the section's order."""
    tables = {table.key: table for table in layout.tables}
    return [tables[key] for key in section.tables if key in tables]


def _layout_text(path: Path) -> str:
    try:
        return text_of(path)
    except UnreadableFile as error:
        raise LayoutError(str(error)) from error


def parse_form(text: str, place: str = "form.yaml", folder: Path | None = None) -> Form:
    """A form from the text of its declaration. Raises FormError."""
    return Form(_declared(text, place), text, folder)


@lru_cache(maxsize=32)
def _declared(text: str, place: str) -> FormFile:
    try:
        return FormFile.model_validate(parsed(text, place, FormError))
    except ValidationError as error:
        raise FormError(explained(place, error)) from error


def _read(folder: Path) -> Form:
    path = folder / "form.yaml"
    try:
        form = parse_form(text_of(path), str(path), folder)
    except UnreadableFile as error:
        raise FormError(str(error)) from error
    if form.key != folder.name:
        raise FormError(f"{path}: key: 现为 {form.key},须与文件夹同名({folder.name})")
    return form


def _folders(city: Path | None) -> dict[str, Path]:
    """The folders of all forms by name; the shipped ones first. Raises FormError for a city's
    form that has the name of a shipped one."""
    found: dict[str, Path] = {}
    for place in (FORMS, *([city / "forms"] if city else [])):
        for folder in sorted(p for p in place.glob("*/") if not p.name.startswith(".")):
            if folder.name in found:
                raise FormError(f"{folder}: 已有同名的报表 {folder.name},请改文件夹名与 key")
            found[folder.name] = folder
    return found


def forms(city: Path | None = None) -> dict[str, Form]:
    """Every form by key: the shipped ones and the city's own. Raises FormError."""
    found = {key: _read(folder) for key, folder in _folders(city).items()}
    prefixes: dict[str, Form] = {}
    titles: dict[str, Form] = {}
    for form in found.values():
        named = titles.setdefault(form.title, form)
        if named is not form:
            raise FormError(f"{form.place}: title: {form.title} 已用于 {named.key},列表中分不清")
        other = prefixes.setdefault(form.prefix, form)
        if other is not form:
            raise FormError(f"{form.place}: edition_prefix: {form.prefix} 已用于 {other.key}")
    return found


def form_of(key: str = ANNUAL_REPORT, city: Path | None = None) -> Form:
    """One form. Raises NoForm, which names those there are, and FormError."""
    folders = _folders(city)
    if key not in folders:
        raise NoForm(f"没有报表 {key}。现有:{'、'.join(folders)}")
    return _read(folders[key])


@cache
def _shipped_layout(name: str) -> Layout:
    return form_of().layout(name)


def load_layout(name: str, overview: Path | None = None) -> Layout:
    """A layout of the annual report by name; see `Form.layout`."""
    return form_of().layout(name, overview) if overview else _shipped_layout(name)


@cache
def layout_names() -> tuple[str, ...]:
    """The layouts of the annual report, oldest first."""
    return tuple(form_of().layout_paths)


def layout_of_year(year: int, overview: Path | None = None) -> Layout:
    """The layout of the annual report in force for a year; see `Form.layout_of`."""
    return form_of().layout_of(Period.of_year(year), overview)
