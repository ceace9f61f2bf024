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
    from tasks.connect.trial import Trial, Tried

app = typer.Typer(help="接入信息系统:新建、检查来源文件。", no_args_is_help=True)


@app.command("new")
def new(
    name: Annotated[
        str, typer.Option(prompt="名称(小写字母,如 hotline)", help="来源名称,小写字母开头")
    ],
    title: Annotated[str, typer.Option(prompt="中文名称", help="中文名称")],
    base_url: Annotated[
        str,
        typer.Option(
            "--base-url",
            prompt="接口的根地址(可写 ${环境变量};只读本机工作簿时留空)",
            help="根地址;空白即读本机工作簿",
        ),
    ] = "",
    template: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="系统",
            help="从常见系统的模板写起,不再问其他问题;写 --from list 列出有哪些",
            callback=lambda given: _listed_templates() if given == "list" else given,
            is_eager=True,
        ),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            help="登录方式:none、api_key、basic、bearer、oauth2_client_credentials、signed、session"
        ),
    ] = None,
    table: Annotated[str | None, typer.Option(help="写入的核心表")] = None,
    path: Annotated[str | None, typer.Option(help="列表接口的路径;工作簿的目录")] = None,
    paginator: Annotated[
        str | None,
        typer.Option(help="翻页方式:page_number、offset、cursor、next_link、link_header、single"),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="写到哪个目录;默认为城市目录下的 sources")
    ] = None,
) -> None:
    """问几个问题,或从常见系统的模板,写出带说明的来源文件。"""
    from tasks.settings import Settings

    file = (folder or Settings().sources) / f"{name}.yaml"
    if file.exists():
        typer.echo(f"{file} 已存在,未改动。请换一个名称,或直接编辑该文件", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    text = (
        _from_answers(name, title, base_url, auth, table, path, paginator)
        if template is None
        else _from_template(template, name, title, base_url)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    typer.echo(f"已写出 {file}。填好字段后运行:nianbao source check {file}")


def _listed_templates() -> None:
    """Tell which systems there are templates for, and end."""
    from tasks.connect.new import templates

    for name, said in templates().items():
        typer.echo(f"{name:<16} {said}")
    raise typer.Exit(ExitCode.DONE)


def _from_template(template: str, name: str, title: str, base_url: str) -> str:
    from tasks.connect.new import file_from, templates

    if template not in templates():
        typer.echo(f"没有模板 {template}。现有:{'、'.join(templates())}", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    if not base_url:
        typer.echo("模板都是接口:请以 --base-url 写出系统的根地址", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    return file_from(template, name, title, base_url)


def _from_answers(
    name: str,
    title: str,
    base_url: str,
    auth: str | None,
    table: str | None,
    path: str | None,
    paginator: str | None,
) -> str:
    """A file from answers; what was not given as an option is asked for."""
    from tasks.connect.new import AUTHS, PAGINATORS, Answers, starting_file
    from warehouse.tables import all_tables

    tables = [t.name for t in all_tables() if t.layer == "core" and t.is_pulled]
    asked = {
        "auth": (auth, f"登录方式({'、'.join(AUTHS)})", "none"),
        "table": (table, "写入的核心表", "article"),
        "path": (path, "列表接口的路径(工作簿:所在目录)", "/records"),
        "paginator": (paginator, f"翻页方式({'、'.join(PAGINATORS)})", "page_number"),
    }
    answers = {
        key: typer.prompt(question, default=default) if given is None else given
        for key, (given, question, default) in asked.items()
    }
    for key, allowed in (("auth", list(AUTHS)), ("table", tables), ("paginator", list(PAGINATORS))):
        if answers[key] not in allowed:
            typer.echo(f"没有 {answers[key]}。允许:{'、'.join(allowed)}", err=True)
            raise typer.Exit(ExitCode.WRONG_USE)
    return starting_file(Answers(name, title, base_url, **answers))


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
    _show_counts(console, found)
    _show_records(console, found)
    _show_doubts(console, found)
    if found.is_good:
        said = "没有发现问题" if found.records else "请求成功,但没有记录"
        console.print(f"✓ {said}" + (";以 ! 开头的各行请核对" if found.hints else ""))


def _show_counts(console: Console, found: ListCheck) -> None:
    """What was looked at, how much there is, and what became of it."""
    if found.places:
        console.print(f"看了:{'、'.join(found.places)}", markup=False)
    if counted := ",".join(_counts(found)):
        console.print(counted)
    if found.account is not None:
        console.print(found.account.text, markup=False)


def _show_doubts(console: Console, found: ListCheck) -> None:
    """What is not kept, what is empty, and what is or may be wrong."""
    if found.not_mapped:
        console.print(f"来源有而未声明(不会保存):{'、'.join(found.not_mapped)}", markup=False)
    if found.empty:
        console.print(f"本页都没有值:{'、'.join(found.empty)}", markup=False)
    _show_codes(console, found)
    for hint in found.hints:
        console.print(f"! {hint}", markup=False)
    for fault in found.faults:
        console.print(f"✗ {fault}", markup=False)


UNKNOWN = {
    "reject": "记录会退回",
    "keep": "会原样保留",
    "null": "会置空",
    "default": "会取 default 的值",
}


def _show_codes(console: Console, found: ListCheck) -> None:
    """What the code maps lack, as lines to paste into the source file."""
    from tasks.connect.writing import flow

    for one in found.unknown_codes:
        count = sum(one.values.values())
        mark = "!" if one.unknown == "keep" else "✗"
        console.print(
            f"{mark} {one.column}:代码表 {one.map} 没有 {len(one.values)} 种写法,共 {count:,} 条({UNKNOWN[one.unknown]})。"
            f'可粘贴到 code_maps.{one.map}.values,写上本库代码;没有值的写 "":',
            markup=False,
        )
        for value, times in one.values.items():
            console.print(f"      {flow(value)}:    # {times:,} 条", markup=False)


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


@app.command("try")
def try_(
    file: Annotated[Path, typer.Argument(metavar="来源文件", help="来源文件")],
    pages: Annotated[
        int, typer.Option("--pages", help="每个资源取几页(工作簿:几个文件)", min=1, max=100)
    ] = 3,
    resource: Annotated[str | None, typer.Option("--resource", help="只试这个资源")] = None,
    year: Annotated[
        int | None, typer.Option("--year", help="看哪一年的数字;默认为记录最多的一年")
    ] = None,
) -> None:
    """取几页,装入一个临时的湖:显示入库的表、触发的规则,以及年度数字会是多少;不动本市的湖。"""
    from rich.console import Console

    from tasks.connect.trial import try_source
    from tasks.settings import Settings
    from tasks.sources.errors import SourceUnavailable
    from tasks.sources.model import load_source

    settings = Settings()
    source = load_source(file, settings.environment)
    if resource is not None and resource not in {one.name for one in source.resources}:
        names = "、".join(one.name for one in source.resources)
        typer.echo(f"{file} 中没有资源 {resource}。现有:{names}", err=True)
        raise typer.Exit(ExitCode.WRONG_USE)
    trial = try_source(source, settings.city, pages=pages, resource=resource, year=year)
    console = Console()
    for one in trial.lists:
        _show_tried(console, one)
    _show_judged(console, trial)
    if any(isinstance(one.error, SourceUnavailable) for one in trial.lists):
        raise typer.Exit(ExitCode.SOURCE_FAILED)
    raise typer.Exit(ExitCode.DONE if trial.is_good else ExitCode.BLOCKED)


def _show_tried(console: Console, one: Tried) -> None:
    """One list: what became of its records, the first rows, what was rejected."""
    from rich.table import Table

    from tasks.connect.source_check import LEFT_OUT

    console.rule(f"{one.title}({one.name} → core.{one.table})")
    if one.error is not None:
        console.print(f"✗ {one.error}", markup=False)
        return
    told = [f"读到 {one.read:,} 条", f"在库有效 {one.kept:,} 条"]
    told += [f"登记作废 {one.removed:,} 条"] if one.removed else []
    told += [f"{LEFT_OUT[reason]} {count:,}" for reason, count in one.left_out.items()]
    console.print(",".join(told), markup=False)
    if one.rows:
        table = Table()
        table.add_column("列")
        for row in one.rows:
            table.add_column(as_markup(row[0]), overflow="fold")
        for index, column in enumerate(one.columns[1:], 1):
            if any(row[index] for row in one.rows):
                table.add_row(column, *(as_markup(row[index]) for row in one.rows))
        console.print(table)
    for name, reason, found, expected, count in one.rejects:
        what = REASONS.get(reason, reason)
        example = f",例如“{found}”,应为{expected}" if reason != "missing_required" else ""
        console.print(f"✗ 退回 {count:,} 条:{name} {what}{example}", markup=False)
    for note in one.notes:
        console.print(f"! {note}", markup=False)


REASONS = {
    "missing_key": "没有编号",
    "imprecise_key": "编号的末几位不可靠",
    "missing_required": "缺少必填的值",
    "unknown_code": "代码不在代码表内",
    "wrong_type": "写法读不懂",
    "not_scalar": "不是单个的值",
    "conflicting_key": "编号相同而内容不同",
}


def _show_judged(console: Console, trial: Trial) -> None:
    """The rules that fire, and the cells of the year that are not nought."""
    from rich.table import Table

    if trial.rules:
        console.rule("触发的规则")
    for rule in trial.rules:
        count = "未能核对" if rule.bad_rows is None else f"{rule.bad_rows:,} 条"
        console.print(f"! {rule.code} {rule.title}:{count}。{rule.message}", markup=False)
    if trial.cells_error is not None:
        console.print(f"✗ {trial.year} 年的数字没有算出:{trial.cells_error}", markup=False)
    if trial.edition is None:
        return
    console.rule(f"只凭这些记录,{trial.year} 年的数字")
    table = Table()
    for heading in ("单元格", "是什么", "数"):
        table.add_column(heading, overflow="fold")
    for cell in trial.cells:
        table.add_row(cell.key, cell.label, cell.text)
    console.print(table if trial.cells else "没有不为零的数字")


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
