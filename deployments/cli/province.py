"""`nianbao province`: a province, whose figures are added up of the editions of its cities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.figures import FormOption, JsonOption, PeriodText
from tasks.wording.typeset import typeset
from warehouse.errors import ExitCode
from warehouse.form_file import ANNUAL_REPORT

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.editions.edition import CityEdition
    from tasks.watch.province import StandingOfProvince

app = typer.Typer(
    help="省:取入各市的版次(不取记录)并看各市是否齐全;编制、批准、比较、重建用与市相同的命令。",
    no_args_is_help=True,
)


@app.command("take")
def take(
    published: Annotated[
        bool, typer.Option("--published", help="只取已发布的版次;默认取最新的,包括待发布的")
    ] = False,
) -> None:
    """取入 NIANBAO_CITIES 中各市的版次:单元格、核对问题与指纹,不取记录。

    可随时重跑:没有变化的不再取。有市的湖读不了或版次与指纹不符时,其余照常取入,退出码为 3。
    """
    from deployments.cli.runs import ready_to_run, tell_refusal

    ready_to_run()
    from flows.take_editions import CITY_UNSEEN
    from flows.take_editions import take as flow

    state: Any = flow(published_only=published, return_state=True)
    tell_refusal(state)
    if not state.is_completed() and state.name != CITY_UNSEEN:
        state.result()
        return
    print(state.message)
    print(typeset("各市的情况:nianbao province status 年度"))
    if state.name == CITY_UNSEEN:
        raise typer.Exit(ExitCode.SOURCE_FAILED)


@app.command("status")
def status(
    when: PeriodText,
    form: FormOption = ANNUAL_REPORT,
    as_json: JsonOption = False,
) -> None:
    """看某一报表的各市:省的最新版次汇总了哪些,哪个市缺、逾期、待发布,哪个市已另编。

    现在就到各市的湖去看,不取入。有市缺、逾期、已另编或读不到时,退出码为 1。
    """
    from deployments.cli import open_lake
    from tasks.clock import now
    from tasks.settings import settings_of_all
    from tasks.watch.province import standing
    from warehouse.form import form_of
    from warehouse.period import Period

    settings, lake = open_lake()
    found = standing(
        lake,
        settings,
        settings_of_all(),
        form_of(form, settings.city),
        Period.parse(when),
        today=now().date(),
    )
    if as_json:
        import json

        print(json.dumps(_plain(found), ensure_ascii=False, indent=1))
    else:
        from rich.console import Console

        print(typeset(found.text))
        Console().print(_table(found))
    if any(city.needs_person for city in found.cities):
        raise typer.Exit(ExitCode.BLOCKED)


def _plain(found: StandingOfProvince) -> dict[str, Any]:
    return {
        "report": found.report,
        "edition": found.edition.edition_id if found.edition else None,
        "is_stale": found.is_stale,
        "cities": [
            {
                "id": city.city_id,
                "name": city.name,
                "city": city.city_name or None,
                "standing": city.standing,
                "counted": city.counted.as_data() if city.counted else None,
                "taken": city.taken.as_data() if city.taken else None,
                "at_city": city.at_city.edition_id if city.at_city else None,
                "wrong": city.wrong or None,
            }
            for city in found.cities
        ],
    }


def _table(found: StandingOfProvince) -> Table:
    from rich.table import Table
    from rich.text import Text

    from tasks.wording.visible import as_markup

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("市", overflow="fold")
    table.add_column("目录", no_wrap=True)
    for name in ("省所汇总", "已取入", "市现有"):
        table.add_column(name, no_wrap=True)
    table.add_column("情况", overflow="fold")
    for city in found.cities:
        table.add_row(
            as_markup(typeset(f"{city.name}({city.city_id})")),
            city.city_name or "—",
            *(_edition(told) for told in (city.counted, city.taken)),
            _told(city.at_city.edition_id, city.at_city.edition_status) if city.at_city else "—",
            Text(typeset(city.text), style="red" if city.needs_person else ""),
        )
    return table


def _edition(edition: CityEdition | None) -> str:
    return _told(edition.edition_id, edition.status) if edition else "—"


def _told(edition_id: str, status: str) -> str:
    from tasks.editions.edition import EDITION_STATUS_LABELS

    return f"{edition_id} {EDITION_STATUS_LABELS[status]}"
