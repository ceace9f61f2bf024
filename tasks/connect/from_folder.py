"""A proposal from a folder of workbooks, or from one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.connect import vocabulary
from tasks.connect.changes import Changes
from tasks.connect.from_answer import fill, mapped_to, without_persons
from tasks.connect.keys import key_of
from tasks.connect.labels import Table as FoundTable
from tasks.connect.labels import files_of, tables_of
from tasks.connect.paging import Paging
from tasks.connect.proposal import Proposal
from tasks.connect.sample import Field, Sample, flat_sample_of
from tasks.load.typed import prepare
from tasks.sources.errors import SourceContractError, SourceUnavailable
from tasks.sources.grids import UnreadableWorkbook
from tasks.sources.select import text
from warehouse.lake import in_memory

MOST_FILES = 30


def propose_from_folder(folder: Path, table_name: str | None = None) -> Proposal:
    """A proposal from the workbooks of a folder, or from one workbook. Raises SourceError."""
    if not folder.exists():
        raise SourceUnavailable(
            f"{folder} 不是以 http:// 或 https:// 开头的地址,也不是本机的目录或文件;请核对写法"
        )
    files = files_of(folder) if folder.is_dir() else [folder]
    if not files:
        raise SourceContractError(f"目录 {folder} 中没有 .xlsx、.xls、.ods、.csv 文件")
    found: list[FoundTable] = []
    notes: list[str] = []
    for path in files[-MOST_FILES:]:
        name = path.relative_to(folder).as_posix() if folder.is_dir() else path.name
        try:
            own = tables_of(path.read_bytes(), name)
        except (UnreadableWorkbook, OSError) as error:
            notes.append(f"{name}:{error}")
            continue
        if not own:
            notes.append(f"{name}:没有认出表头")
        found += own
    if not found:
        raise SourceContractError(f"{folder} 的文件中都没有认出表头。{';'.join(notes[:3])}")
    return _from_tables(folder, found, notes, table_name, is_deep=any("/" in t.file for t in found))


def _from_tables(
    folder: Path,
    found: list[FoundTable],
    notes: list[str],
    table_name: str | None,
    *,
    is_deep: bool,
) -> Proposal:
    """The largest group of sheets that share most of their labels."""
    groups: list[list[FoundTable]] = []
    for one in found:
        group = next((g for g in groups if _is_alike(g[0].labels, one.labels)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    largest = max(groups, key=lambda group: sum(len(one.records) for one in group))
    for other in groups:
        if other is not largest:
            notes.append(
                f"{other[0].file}#{other[0].sheet}:表头不同,另写一个资源({'、'.join(other[0].labels[:6])}…)"
            )
    records = [record for one in largest for record in one.records]
    with in_memory() as connection:
        prepare(connection)
        sample = flat_sample_of(connection, records)
    fields, left_out = without_persons(sample)
    key, kind = _workbook_key(sample, fields, largest)
    own_key = key if isinstance(key, str) else key[-1] if key else None
    best = mapped_to(table_name, fields, own_key, folder.name)
    workbook: dict[str, Any] = {
        "folder": str(folder.resolve() if folder.is_dir() else folder.resolve().parent)
    }
    if not folder.is_dir():
        workbook["match"] = [folder.name]
    elif is_deep:
        workbook["match"] = [
            f"**/*{suffix}" for suffix in sorted({Path(one.file).suffix.lower() for one in largest})
        ]
    sheets = list(dict.fromkeys(one.sheet for one in largest if one.sheet))
    if len(groups) > 1 and len(sheets) <= 4 and all(sheets):
        workbook["sheets"] = sheets
    proposal = Proposal(
        place=str(folder),
        records=None,
        count=len(records),
        key=key,
        paging=Paging({"type": "single"}),
        changes=Changes(None),
        table=best.table.name,
        has_table=table_name is not None,
        workbook=workbook,
        left_out=left_out,
        notes=[*notes, *([kind] if kind else [])],
    )
    fill(proposal, fields, best)
    return proposal


def _is_alike(first: list[str], second: list[str]) -> bool:
    same = len(set(first) & set(second))
    return same * 2 > max(len(set(first)), len(set(second)))


def _workbook_key(
    sample: Sample, fields: list[Field], group: list[FoundTable]
) -> tuple[str | list[str] | None, str]:
    """The label that names each row; with the file or the sheet before it where units number alike."""
    whole = key_of(fields, sample.count)
    counters = {vocabulary.compact(str(w)) for w in vocabulary.words()["identity"]["counters"]}
    if whole is not None and vocabulary.compact(whole) not in counters and _is_named(whole):
        return whole, ""
    for label in sorted(
        (f.path for f in fields), key=lambda name: -vocabulary.identity().weight(name)
    ):
        if vocabulary.identity().weight(label) < 0.5:
            break
        for part in ("$file", "$sheet"):
            keys = [
                (t.file if part == "$file" else t.sheet, text(r.get(label)))
                for t in group
                for r in t.records
            ]
            if all(value for _, value in keys) and len(set(keys)) == len(keys):
                return (
                    [part, label],
                    f"“{label}”在各文件中会重号,编号前加了{'文件名' if part == '$file' else '工作表名'}",
                )
    return whole or ["$file", "$sheet", "$row"], (
        "" if whole else "没有一列可作编号:暂以文件、工作表、行号代替,插入或删除行会使编号变化"
    )


def _is_named(label: str) -> bool:
    return vocabulary.identity().weight(label) >= 0.5
