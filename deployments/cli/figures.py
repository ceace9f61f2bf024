"""`nianbao tables` and `nianbao explain`: figures and what stands behind them."""

from __future__ import annotations

from typing import Annotated

import typer

from warehouse.form_file import ANNUAL_REPORT

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
    year: Year,
    organ: OrganOption = None,
    as_json: JsonOption = False,
    edition: EditionOption = None,
    form: FormOption = ANNUAL_REPORT,
) -> None:
    """显示某年度的法定表格、总体情况数字和核对结果。

    尚未编制版次的年度,按当前数据即时计算,标为“预览”。
    """
    from deployments.cli import open_lake
    from tasks.clock import now
    from tasks.editions.build import preview
    from tasks.editions.explain import NoSuchCell
    from tasks.editions.store import NoEdition, load_edition, newest_edition
    from warehouse.form import form_of
    from warehouse.period import Period

    settings, lake = open_lake()
    period = Period.of_year(year)
    if edition:
        shown = load_edition(lake, edition, organ_id=organ)
    else:
        try:
            shown = newest_edition(lake, form_of(form, settings.city), period, organ_id=organ)
        except NoEdition:
            shown = preview(lake, settings.city, period, now=now(), form=form)
    if organ and organ not in {o.id for o in shown.organs}:
        raise NoSuchCell(f"{shown.period.label}没有机关 {organ}。机关编号见城市目录中的 organs.csv")
    if as_json:
        import json

        from tasks.render import tables_json

        print(json.dumps(tables_json(shown, organ), ensure_ascii=False, indent=1))
        return
    from rich.console import Console

    from tasks.render.terminal import tables as readable

    Console().print(readable(shown, organ))


def explain(
    year: Year,
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
        Period.of_year(year),
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
