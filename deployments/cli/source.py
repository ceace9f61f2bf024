"""`nianbao source`: connect a system by writing a source file, and see whether it is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.wording.visible import as_markup
from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.connect.source_check import ListCheck

app = typer.Typer(help="接入信息系统:新建、检查来源文件。", no_args_is_help=True)


@app.command("new")
def new(
    name: Annotated[str, typer.Option(prompt="名称(小写字母,如 hotline)", help="来源名称")],
    title: Annotated[str, typer.Option(prompt="中文名称", help="中文名称")],
    base_url: Annotated[
        str,
        typer.Option(
            "--base-url",
            prompt="接口的根地址(可写 ${环境变量};只读本机工作簿时留空)",
            help="根地址;空白即读本机工作簿",
        ),
    ] = "",
    auth: Annotated[
        str,
        typer.Option(
            prompt="登录方式(none、api_key、basic、bearer、oauth2_client_credentials、signed、session)",
            help="登录方式",
        ),
    ] = "none",
    table: Annotated[str, typer.Option(prompt="写入的核心表", help="写入的核心表")] = "article",
    path: Annotated[
        str,
        typer.Option(prompt="列表接口的路径(工作簿:所在目录)", help="列表接口的路径;工作簿的目录"),
    ] = "/records",
    paginator: Annotated[
        str,
        typer.Option(
            prompt="翻页方式(page_number、offset、cursor、next_link、link_header、single)",
            help="翻页方式",
        ),
    ] = "page_number",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="写到哪个目录;默认为城市目录下的 sources")
    ] = None,
) -> None:
    """问几个问题,写出带说明的来源文件。"""
    from tasks.connect.new import AUTHS, PAGINATORS, Answers, starting_file
    from tasks.settings import Settings
    from warehouse.tables import all_tables

    tables = [t.name for t in all_tables() if t.layer == "core" and t.is_pulled]
    for given, allowed in ((auth, list(AUTHS)), (table, tables), (paginator, list(PAGINATORS))):
        if given not in allowed:
            typer.echo(f"没有 {given}。允许:{'、'.join(allowed)}", err=True)
            raise typer.Exit(ExitCode.WRONG_USE)
    file = (folder or Settings().sources) / f"{name}.yaml"
    if file.exists():
        typer.echo(f"{file} 已存在,未改动。请换一个名称,或直接编辑该文件", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    file.parent.mkdir(parents=True, exist_ok=True)
    answers = Answers(name, title, base_url, auth, table, path, paginator)
    file.write_text(starting_file(answers), encoding="utf-8")
    typer.echo(f"已写出 {file}。填好字段后运行:nianbao source check {file}")


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="来源文件", help="来源文件")],
    resource: Annotated[str | None, typer.Option("--resource", help="只检查这个资源")] = None,
) -> None:
    """登录,每个资源取一页,逐字段显示前几条记录和发现的问题;不写入任何数据。"""
    from rich.console import Console

    from tasks.connect.source_check import check_source
    from tasks.settings import Settings
    from tasks.sources.errors import SourceUnavailable
    from tasks.sources.model import load_source

    source = load_source(file, Settings().environment)
    console = Console()
    console.print(f"{source.title}({source.name})", style="bold", markup=False)
    worst = ExitCode.DONE
    for found in check_source(source, resource):
        _show(console, found)
        if isinstance(found.error, SourceUnavailable):
            worst = ExitCode.SOURCE_FAILED
        elif not found.is_good and worst is ExitCode.DONE:
            worst = ExitCode.BLOCKED
    raise typer.Exit(worst)


def _show(console: Console, found: ListCheck) -> None:
    """One list: request, records field by field, what was not mapped, what is wrong."""
    console.rule(f"{found.title}({found.name} → core.{found.table})")
    if found.request:
        console.print(found.request, markup=False)
    if found.error is not None:
        console.print(f"✗ {found.error}", markup=False)
        return
    if counted := ",".join(_counts(found)):
        console.print(counted)
    _show_records(console, found)
    if found.not_mapped:
        console.print(f"来源有而未声明(不会保存):{'、'.join(found.not_mapped)}", markup=False)
    if found.empty:
        console.print(f"本页都没有值:{'、'.join(found.empty)}", markup=False)
    for hint in found.hints:
        console.print(f"! {hint}", markup=False)
    for fault in found.faults:
        console.print(f"✗ {fault}", markup=False)
    if found.is_good:
        said = "没有发现问题" if found.records else "请求成功,但没有记录"
        console.print(f"✓ {said}" + (";以 ! 开头的各行请核对" if found.hints else ""))


def _counts(found: ListCheck) -> Iterator[str]:
    if found.request:
        yield f"本页 {found.records_on_page:,} 条"
    if found.total is not None:
        yield f"来源称共 {found.total:,}"
    if found.control_total is not None:
        yield f"计数接口 {found.control_total:,} 条"


def _show_records(console: Console, found: ListCheck) -> None:
    """The first records, field by field: what was read and what becomes of it."""
    from rich.table import Table

    for record in found.records:
        table = Table(
            title=f"编号 {as_markup(record.record_id or '(无)')}  {as_markup(record.place)}",
            title_justify="left",
        )
        for heading in ("列", "路径", "读到", "入库为"):
            table.add_column(heading, overflow="fold")
        for one in record.fields:
            typed = "✗" if one.is_faulty else one.typed or ""
            table.add_row(one.column, one.path, as_markup(one.read or ""), as_markup(typed))
        console.print(table)


@app.command("fields")
def fields(
    place: Annotated[
        str,
        typer.Argument(
            metavar="地址|目录",
            help="列表接口的完整地址(含参数),或接口描述(OpenAPI、WSDL)的地址,或工作簿所在的目录",
        ),
    ],
    table: Annotated[
        str | None, typer.Option("--table", help="打算写入的核心表;不写则按字段推断")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="用这个来源文件的登录方式")
    ] = None,
    body: Annotated[
        str | None,
        typer.Option("--body", help="POST 的请求体:JSON、XML 报文,或 @文件;写了它即用 POST"),
    ] = None,
) -> None:
    """取样本,写出来源文件的初稿:列表、编号、翻页、增量和字段;疑为个人信息的字段不列入。"""
    from tasks.connect.fields import propose
    from tasks.connect.writing import proposal_text
    from tasks.settings import Settings
    from tasks.sources.model import load_source

    known = load_source(source, Settings().environment) if source else None
    try:
        proposal = propose(place, source=known, body=_body(body), table_name=table)
    except KeyError:
        typer.echo(f"没有核心表 {table}", err=True)
        raise typer.Exit(ExitCode.WRONG_USE) from None
    typer.echo(proposal_text(proposal), nl=False)


def _body(given: str | None) -> dict[str, Any] | str | None:
    """The body of a request as it was given: an object of JSON, or a text as it is."""
    import json

    from warehouse.disk import UnreadableFile, text_of

    if given is None:
        return None
    try:
        written = text_of(Path(given[1:])) if given.startswith("@") else given
        found = json.loads(written) if written.lstrip().startswith("{") else written
    except (UnreadableFile, ValueError) as error:
        typer.echo(f"--body 读不懂:{error}", err=True)
        raise typer.Exit(ExitCode.WRONG_USE) from None
    return found if isinstance(found, dict) else str(found)


@app.command("schema")
def schema() -> None:
    """输出来源文件的 JSON Schema,供编辑器提示与检查。"""
    import json

    from tasks.sources.model import Source

    typer.echo(json.dumps(Source.model_json_schema(by_alias=True), ensure_ascii=False, indent=1))
