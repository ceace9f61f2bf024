"""`nianbao source`: connect a system by writing a source file, and see whether it is right."""

from __future__ import annotations

import typer

app = typer.Typer(help="接入信息系统:新建、检查来源文件。", no_args_is_help=True)


@app.command("schema")
def schema() -> None:
    """输出来源文件的 JSON Schema,供编辑器提示与检查。"""
    import json

    from tasks.sources.model import Source

    typer.echo(json.dumps(Source.model_json_schema(by_alias=True), ensure_ascii=False, indent=1))


@app.callback()
def source() -> None:
    """接入信息系统:新建、检查来源文件。"""
