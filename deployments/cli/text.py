"""`nianbao text`: what organs write in the places of the report that are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.figures import FormOption, Year
from warehouse.form_file import ANNUAL_REPORT


def text(
    year: Year,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="Word 文件", help="填好的草稿(report.docx);不填则列出待填处"),
    ] = None,
    form: FormOption = ANNUAL_REPORT,
) -> None:
    """报告文字:读入在 Word 草稿中填好的文字,或列出还没有填的地方。

    读入的文字按机关、按年保存在城市目录的 texts 中,下一年的草稿会用到。读入之后请重新编制。
    """
    from tasks.settings import Settings
    from warehouse.form import form_of
    from warehouse.period import Period

    if not files:
        _list(form, year)
        return
    settings = Settings()
    report, period = form_of(form, settings.city), Period.of_year(year)
    from tasks.city.texts import keep_texts
    from tasks.render.filled_words import read_filled

    for path in files:
        filled = read_filled(path)
        kept = keep_texts(settings.city, report, period, filled.organ, filled.texts)
        rest = f";尚有 {len(filled.open)} 处待填:{'、'.join(filled.open)}" if filled.open else ""
        print(f"{path}:机关 {filled.organ} 读入 {len(filled.texts)} 处,写入 {kept}{rest}")
    print(f"请重新编制:nianbao year-end {year}")


def _list(form: str, year: int) -> None:
    """The places still open in the newest edition, with what stood there last year."""
    from deployments.cli import open_lake
    from tasks.editions.store import newest_edition
    from tasks.editions.wording import Wording
    from warehouse.form import form_of
    from warehouse.period import Period

    settings, lake = open_lake()
    edition = newest_edition(lake, form_of(form, settings.city), Period.of_year(year))
    wording = Wording.of(edition)
    words = wording.draft(edition.root) if wording else None
    if words is None:
        print(f"版次 {edition.id} 没有文字模板。")
        return
    for span in words.unfilled:
        before = f"  上年:{span.before}" if span.before else ""
        print(f"{span.key:<6}{span.label}{before}")
    print(f"版次 {edition.id}({edition.root.name}):待填 {len(words.unfilled)} 处。")
