"""What an operator reads of a publication and of the lake's upkeep, as Markdown."""

from __future__ import annotations

from tasks.publish.maintain import Maintained
from tasks.publish.publish import Published
from tasks.publish.words import words_told
from tasks.render.manifest import read_manifest
from tasks.render.markdown import code, escaped, page, table
from tasks.render.operator import told_against_earlier
from tasks.render.words import document_title
from tasks.watch.notify import Message


def publication(published: Published, base_url: str, desk: str = "") -> str:
    """What was published, by whom, with which answers, and what it replaces. `desk` is where
    年报工作台 is served."""
    edition = published.edition
    rows = [
        ["报告", escaped(document_title(edition))],
        ["版次", escaped(edition.id)],
        ["批准人", escaped(published.approver)],
        ["批准时间", f"{published.approved_at:%Y-%m-%d %H:%M}(北京时间)"],
        ["批准意见", escaped(published.statement)],
        ["数据", escaped(published.staleness)],
        ["数据快照", f"第 {edition.snapshot} 号"],
        ["单元格指纹", code(edition.cell_hash)],
        ["文件清单指纹", code(published.manifest_hash)],
        ["核对码", code(str(published.checkpoint))],
        ["签名密钥", code(published.signing_key)],
    ]
    told = words_told(read_manifest(published.folder))
    rows += [[name, escaped(text)] for name, text in told]
    if published.replaced:
        rows.insert(2, ["替代", f"版次 {escaped(published.replaced)}:{escaped(edition.reason)}"])
    parts = ["# 已发布\n", table(["项目", "内容"], rows)]
    parts.append("文件已冻结为只读并签名。更正须另编新版并写明理由。\n")
    parts.append(
        "请把**核对码**抄存在本系统之外(如归档单上)。日后用它可以证明这一版次和它之前的都没有被改动或删去:"
        f"nianbao verify --checkpoint {published.checkpoint}\n"
    )
    if desk:
        here = f"{desk}/edition/{edition.id}"
        parts.append(
            f"[打开版次 {escaped(edition.id)}(年报工作台)]({here}) · [验真]({here}/verify)\n"
        )
    names = sorted(path.name for path in published.folder.iterdir())
    shown = [[f"[{n}]({base_url}/{n})" if base_url else code(n)] for n in names]
    parts += ["## 文件\n", f"文件夹:{code(str(published.folder))}\n", table(["文件"], shown)]
    if published.answers:
        findings = {(f.organ_id, f.key): f for f in edition.findings}
        answered = [
            [f.code, escaped(f.organ_name), escaped(f.message), escaped(reason)]
            for place, reason in published.answers.items()
            for f in (findings[place],)
        ]
        parts += ["## 对阻断问题的答复\n", table(["规则", "机关", "问题", "答复"], answered)]
    if published.comparison:
        parts += [
            "## 与上一已发布版次逐格比较\n",
            told_against_earlier(edition, published.comparison),
        ]
    return page(parts)


def publication_message(published: Published) -> Message:
    """That an edition was published, with the checkpoint for those who keep it outside."""
    edition = published.edition
    return Message(
        f"published/{edition.id}",
        f"{edition.report_name}版次 {edition.id} 已发布",
        f"批准人{published.approver}。核对码 {published.checkpoint};请抄存在系统之外,日后可证明没有被改动或删去。",
        about=str(published.checkpoint),
    )


def maintenance(done: Maintained) -> str:
    """What was tidied, and whether published files are as they were signed for."""
    rows = [
        ["快照", f"{done.snapshots_before:,}", f"{done.snapshots_after:,}"],
        ["数据文件", f"{done.files_before:,}", f"{done.files_after:,}"],
        [
            "占用(MB)",
            f"{done.bytes_before / 1_000_000:,.1f}",
            f"{done.bytes_after / 1_000_000:,.1f}",
        ],
    ]
    parts = [
        "# 整理\n",
        table(["项目", "整理前", "整理后"], rows, numbers=2),
        f"版次引用的快照 {done.pinned} 个,一律保留。不再需要的文件一天后删除,以免有人正在读取。\n",
    ]
    if done.leftovers:
        parts.append(f"清除中断运行留下的临时文件夹 {done.leftovers} 个。\n")
    if done.landings_dropped:
        parts.append(f"清除往年已装载的落地文件夹 {done.landings_dropped} 个。\n")
    if not done.is_verified:
        parts.append("正有版次在发布,这次没有核对已发布的版次;下一次整理时核对。\n")
    elif done.problems:
        parts.append("## 已发布的内容被改动\n")
        rows = [[code(p.edition or "全部"), code(p.name), escaped(p.text)] for p in done.problems]
        parts.append(table(["版次", "何处", "怎样"], rows))
        parts.append("请从备份恢复,并查明原因。\n")
    else:
        parts.append("已发布版次的文件都与批准时的指纹相符。\n")
    return page(parts)
