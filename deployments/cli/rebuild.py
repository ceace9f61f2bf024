"""`nianbao rebuild`: an edition proved by building it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warehouse.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.editions.edition import CellValue, Finding
    from tasks.publish.rebuild import Proof, Rebuilt

MOST_LISTED = 200
"""Differences listed on the terminal; all of them are in the JSON."""
HASH_SHOWN = 16


def rebuild(
    edition: Annotated[str, typer.Argument(metavar="版次", help="版次编号,如 2020-1")],
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="文件夹", help="把重建的文件写入这个空的或新的文件夹"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON,供程序读取")] = False,
) -> None:
    """重建:以版次所留的快照和口径重新编制,逐项与编制时的指纹比较。

    城市目录和程序后来的改动不影响重建。退出码:0 相同;1 有不同;2 没有这个版次。
    """
    from deployments.cli import open_lake
    from tasks.publish.rebuild import rebuild as rebuilt
    from tasks.publish.rebuild import rebuilt_json

    settings, lake = open_lake()
    done = rebuilt(lake, settings, edition, into=into)
    if as_json:
        import json

        print(json.dumps(rebuilt_json(done), ensure_ascii=False, indent=1))
    else:
        from tasks.wording.typeset import typeset

        for line in readable(done):
            print(typeset(line))
        if into is not None:
            print(f"重建的文件:{into}")
    if not done.is_same:
        raise typer.Exit(ExitCode.BLOCKED)


def readable(done: Rebuilt) -> Iterator[str]:
    """The proof line by line: what was compared, then every difference with both values."""
    from tasks.editions.compare import SCOPE_LABELS
    from tasks.render.words import status_label

    e = done.edition
    yield (
        f"版次 {e.id}({status_label(e)}),{e.root.name} {e.report_name},"
        f"第 {e.snapshot} 号快照,编制软件 {e.software}"
    )
    for proof in done.proofs:
        yield _proof(proof)
    if done.cells:
        yield f"不同的单元格 {len(done.cells)} 个(湖中所存 → 重建):"
        for d in done.cells[:MOST_LISTED]:
            before, after = _figure(d.figure_before), _figure(d.figure_after)
            yield (
                f"  {d.organ_name}({d.organ_id},{SCOPE_LABELS[d.scope]}) "
                f"{d.label} {d.cell}:{before} → {after}"
            )
        yield from _more(len(done.cells))
    if done.findings:
        yield f"不同的核对结果 {len(done.findings)} 项(湖中所存 → 重建):"
        for f in done.findings[:MOST_LISTED]:
            yield f"  {f.organ_id} {f.key}:{_finding(f.kept)} → {_finding(f.rebuilt)}"
        yield from _more(len(done.findings))
    yield _verdict(done)


def _proof(proof: Proof) -> str:
    from tasks.publish.rebuild import OUTCOME_LABELS

    told = f"  {OUTCOME_LABELS[proof.outcome]}  {proof.title}"
    if proof.outcome == "same":
        told += f" {proof.kept[:HASH_SHOWN]}"
    elif proof.kept or proof.rebuilt:
        told += (
            f" 编制时 {proof.kept[:HASH_SHOWN] or '无'},重建 {proof.rebuilt[:HASH_SHOWN] or '无'}"
        )
    return f"{told.rstrip()}({proof.note})" if proof.note else told.rstrip()


def _more(count: int) -> Iterator[str]:
    if count > MOST_LISTED:
        yield f"  其余 {count - MOST_LISTED} 个见 --json"


def _figure(figure: CellValue) -> str:
    from warehouse.numbers import number

    told = number(figure.value) if figure.text is None else figure.text
    if figure.numerator is None and figure.denominator is None:
        return told
    return f"{told}({number(figure.numerator)}/{number(figure.denominator)})"


def _finding(finding: Finding | None) -> str:
    from expectations.result import SEVERITY_LABELS, STATUS_LABELS

    if finding is None:
        return "没有这一项"
    return f"{STATUS_LABELS[finding.status]}({SEVERITY_LABELS[finding.severity]}){finding.message}"


def _verdict(done: Rebuilt) -> str:
    different = sum(proof.outcome == "different" for proof in done.proofs)
    if different:
        return f"有 {different} 项不同:这一版次不能照原样重建。请保留现场并告知管理员"
    unprovable = sum(proof.outcome == "unprovable" for proof in done.proofs)
    if unprovable:
        return f"凡能比较的都相同;另有 {unprovable} 项无从证明,原因见上"
    return "全部相同:这一版次可以照原样重建"
