"""`nianbao tables` and `nianbao explain`: figures and what stands behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from warehouse.form_file import ANNUAL_REPORT

PeriodText = Annotated[
    str,
    typer.Argument(
        metavar="时段",
        help="2020、2020H1(上半年)、2020Q1(第一季度)、2020-03 或 2020-01-01..2020-06-30",
    ),
]
Year = Annotated[int, typer.Argument(metavar="年度", help="报告年度,如 2020", min=2019, max=2100)]
OrganOption = Annotated[
    str | None, typer.Option("--organ", metavar="编号", help="机关编号;默认全市")
]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")]
FormOption = Annotated[
    str,
    typer.Option("--form", metavar="报表", help="报表的键,如 annual-report;默认年度报告"),
]
EditionOption = Annotated[
    str | None, typer.Option("--edition", metavar="版次", help="版次编号,如 2020-1;默认最新一版")
]


def tables(
    when: PeriodText,
    organ: OrganOption = None,
    as_json: JsonOption = False,
    edition: EditionOption = None,
    form: FormOption = ANNUAL_REPORT,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="分列", help="按月、季、半年分列:month、quarter、half"),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="与上期(环比)、上年同期(同比)并列")
    ] = False,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="文件", help="全市和所选机关的单元格另存为 CSV;分列、并列时存所列数字"
        ),
    ] = None,
) -> None:
    """显示某一时段的法定表格、总体情况数字和核对结果。

    时段可以是年度、半年、季度、月或任意起止日期。尚未编制版次的时段,按当前数据即时计算,
    标为“预览”;年度以外的时段中,“上年结转”为期初在办,“结转下年度”为期末在办。
    """
    if by or compare:
        _spans(when, organ, by, form, as_json=as_json, csv_file=csv_file)
        return
    from deployments.cli import open_lake
    from tasks.editions.store import NoEdition, load_edition, newest_edition
    from warehouse.form import form_of
    from warehouse.period import Period

    period = Period.parse(when)
    settings, lake = open_lake()
    read = None if csv_file else organ
    if edition:
        shown = load_edition(lake, edition, organ_id=read)
    else:
        try:
            shown = newest_edition(lake, form_of(form, settings.city), period, organ_id=read)
        except NoEdition:
            # What builds is dear to import, and mostly there is an edition.
            from tasks.clock import now
            from tasks.editions.build import preview

            shown = preview(lake, settings.city, period, now=now(), form=form)
    if organ and organ not in {o.id for o in shown.organs}:
        from tasks.editions.explain import NoSuchCell

        raise NoSuchCell(
            f"{shown.period.label}没有机关 {organ}。机关编号见城市目录中的 organs.csv,网站编号见 websites.csv"
        )
    if csv_file:
        from tasks.render.data_files import write_cells_csv

        write_cells_csv(shown, csv_file, organ or shown.root.id)
    if as_json:
        import json

        from tasks.render import tables_json

        print(json.dumps(tables_json(shown, organ), ensure_ascii=False, indent=1))
        return
    from rich.console import Console

    from tasks.render.terminal import tables as readable

    Console().print(readable(shown, organ))


def _spans(
    when: str,
    organ: str | None,
    by: str | None,
    form: str,
    *,
    as_json: bool,
    csv_file: Path | None,
) -> None:
    """The figures of a span by its parts, or beside other spans; ends with 1 where the parts and
    the whole do not agree."""
    from deployments.cli import open_lake
    from tasks.editions.spans import KINDS, NoParts, beside_others, by_parts, spans_json, write_csv
    from warehouse.errors import ExitCode
    from warehouse.period import Period

    period = Period.parse(when)
    if by and by not in KINDS:
        raise NoParts(f"--by {by}:只能是 {'、'.join(KINDS)}")
    settings, lake = open_lake()
    if by:
        found = by_parts(lake, settings.city, period, KINDS[by], form=form, organ_id=organ)
    else:
        found = beside_others(lake, settings.city, period, form=form, organ_id=organ)
    if csv_file:
        write_csv(found, csv_file)
    if as_json:
        import json

        print(json.dumps(spans_json(found), ensure_ascii=False, indent=1))
    else:
        from rich.console import Console

        from tasks.render.spans import readable

        console = Console()
        # Figures are not broken over lines: a narrow terminal is better served by --csv.
        console.width = max(console.width, 40 + 12 * (len(found.columns) + 2))
        console.print(readable(found))
    if found.disagreements:
        raise typer.Exit(ExitCode.BLOCKED)


def explain(
    when: PeriodText,
    cell: Annotated[
        str,
        typer.Argument(
            metavar="单元格",
            help="单元格的键,如 t3.granted.natural_person、overview.disclosed_items",
        ),
    ],
    organ: OrganOption = None,
    own: Annotated[bool, typer.Option("--own", help="只计本机关,不含所属")] = False,
    page: Annotated[int, typer.Option("--page", help="第几页", min=1)] = 1,
    page_size: Annotated[
        int, typer.Option("--page-size", help="每页记录数", min=1, max=10000)
    ] = 20,
    as_json: JsonOption = False,
    edition: EditionOption = None,
    form: FormOption = ANNUAL_REPORT,
) -> None:
    """说明一个数字:口径、依据、SQL、快照,以及它背后的每一条记录。"""
    from deployments.cli import open_lake
    from tasks.editions.explain import explain as explained
    from tasks.editions.explain import explanation_json
    from warehouse.period import Period

    settings, lake = open_lake()
    explanation = explained(
        lake,
        settings.city,
        Period.parse(when),
        cell,
        form=form,
        organ_id=organ,
        scope="own" if own else "rolled_up",
        edition_id=edition,
        limit=page_size,
        offset=(page - 1) * page_size,
    )
    if as_json:
        import json

        found = {**explanation_json(explanation), "page": page, "page_size": page_size}
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    from rich.console import Console

    from deployments.cli.explanation import readable

    Console().print(readable(explanation, page, page_size))
