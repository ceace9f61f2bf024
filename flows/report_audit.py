"""Report audit: does a published report, or a folder of them, add up?

Runs on demand. It reads files only and changes nothing in the lake; what it finds stands in
the run's artifact, and on request in a page of its own. What it reads and writes lies in the home's
folder of reports.
"""

from __future__ import annotations

import errno
import itertools
import re
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from flows.forms import answers_entries, done, ended, field, refused
from tasks.audit.batch import write_batch
from tasks.audit.document import UnreadableDocument
from tasks.audit.markdown import as_markdown
from tasks.audit.page import render_page
from tasks.audit.result import AuditReport
from tasks.audit.run import audit_files, report_files
from tasks.audit.uploads import AUDITED, BATCH, REPORTS
from tasks.clock import now
from tasks.editions.store import load_edition
from tasks.render import tables_json
from tasks.render.markdown import code
from tasks.settings import Settings
from tasks.wording.typeset import typeset
from warehouse.disk import reason_of
from warehouse.errors import EntryError, NianbaoError


class NotAReport(EntryError):
    """What was named does not lie in the folder of reports; the message says what to enter."""


def chosen_reports(folder: Path, name: str) -> list[Path]:
    """The reports that are meant, all of them below `folder`, links looked through.

    Raises NotAReport for a place elsewhere, UnreadableDocument where there is nothing.
    """
    outside = NotAReport(
        f"“{name[:100]}”不在 reports 文件夹中:请把报告放入数据目录下的 reports 文件夹,再填它的名称,或留空"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        within = folder.resolve()
        asked = (folder / name.strip()).resolve()
    except (OSError, ValueError) as error:
        raise outside from error
    if not asked.is_relative_to(within):
        raise outside
    found = [p for p in report_files(asked) if p.resolve().is_relative_to(within)]
    if not found:
        raise UnreadableDocument(f"{folder}:文件夹里没有报告")
    return found


def write_new(folder: Path, text: str) -> Path:
    """Write a page as a new file of a folder, whatever lies there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "a link")
    for count in itertools.count():
        path = folder / f"{now():%Y-%m-%d-%H%M%S}{f'-{count}' if count else ''}.html"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise AssertionError


@task(name="核对报告")
def audit_step(
    paths: list[Path], year: int | None, edition: dict[str, Any] | None = None
) -> tuple[list[AuditReport], list[str]]:
    """Read and check the reports; years of one organ are checked against each other, all of them
    against the figures of an edition where one is given.

    Out: the reports, and what is wrong with files that cannot be read.
    """
    unread: list[str] = []
    return audit_files(paths, year, edition, unread=unread), unread


def batch_step(reports: list[AuditReport], unread: list[str], name: str = "") -> str:
    """A folder of its own with the front page of several reports; where it lies, as Markdown.
    `name` is that of a batch that was sent to the page."""
    audited = Settings().home / AUDITED
    try:
        front = write_batch(_new_folder(audited, name), reports, unread)
    except OSError as error:
        return f"汇总页写不了({error.strerror}),请检查数据目录是否已满、能否写入\n\n"
    return f"汇总页(谁有不符,从多到少,另有全部数的 CSV 和 Excel):{code(str(front))}\n\n"


def _new_folder(audited: Path, name: str) -> Path:
    """A folder that was not there: what an earlier audit wrote stays. Raises OSError."""
    name = name or f"{now():%Y%m%d-%H%M%S-%f}"
    if audited.is_symlink():
        raise OSError(errno.ELOOP, "a link")
    for count in itertools.count(1):
        folder = audited / (name if count == 1 else f"{name}-{count}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def figures_of(edition_id: str) -> dict[str, Any] | None:
    """The figures of an edition of the lake, by which reports are judged; None where none is named.
    Raises NoEdition, NoLake."""
    if not edition_id.strip():
        return None
    return tables_json(load_edition(Settings().lake(), edition_id.strip()))


@flow(
    name="report-audit",
    description="核对已发布的年度报告：表格与正文的数是否对得上。",
    flow_run_name=lambda: f"核对年度报告 {now():%Y-%m-%d %H:%M}",
    validate_parameters=False,
)
@answers_entries
def report_audit(
    path: Annotated[
        str,
        field(
            "报告",
            "数据目录下 reports 文件夹中的文件或子文件夹的名称;不填为其中全部。网页、Word、WPS、PDF、OFD、RTF、ODT、Excel、文本或压缩包,几个的用分号或换行隔开;同一机关相邻两年的互相核对。几份报告的另写汇总页。",
        ),
    ] = "",
    report_year: Annotated[
        int,
        field(
            "报告年度",
            "报告自己没有写明年度时填写,只用于单个文件;0 为由报告读出。",
        ),
    ] = 0,
    page: Annotated[
        bool,
        field(
            "网页输出",
            "勾选则另写一个标明每个数核对结果的网页,放在数据目录下的 audits 文件夹中,每次一个新文件。",
        ),
    ] = False,
    edition: Annotated[
        str,
        field("版次", "另与哪个版次逐格核对,写版次编号,如 2020-1。不填为不与版次核对。"),
    ] = "",
) -> State[None]:
    """核对年度报告。"""
    home = Settings().home
    folder, audited = home / REPORTS, home / AUDITED
    given = [part.strip() for part in re.split("[;\uff1b\\n]", path) if part.strip()]
    try:
        files = [file for name in given or [""] for file in chosen_reports(folder, name)]
        reports, unread = audit_step(files, report_year or None, figures_of(edition))
    except UnreadableDocument as error:
        return ended("读不了", str(error))
    except NianbaoError as error:
        return refused(error)
    batch = given[0] if len(given) == 1 and BATCH.fullmatch(given[0]) else ""
    is_batch = bool(batch) or len(reports) + len(unread) > 1
    front = batch_step(reports, unread, batch) if is_batch else ""
    create_markdown_artifact(
        key="report-audit",
        markdown=front + as_markdown(reports, unread),
        description="年度报告核对结果",
    )
    if page:
        try:
            written = write_new(audited, render_page(reports))
        except OSError as error:
            return ended(
                "写不了",
                f"网页写不到 {audited}({reason_of(error)}):请检查该文件夹能否写入",
            )
        get_run_logger().info("%s", typeset(f"网页:{written}"))
    failed = sum(len(report.fails) for report in reports)
    if failed:
        return ended("有不符", f"{len(reports)} 份报告中有 {failed} 处不符,见核对结果")
    if unread:
        return ended("读不了", f"{len(reports)} 份报告没有不符之处;" + ";".join(unread))
    lost = [text for report in reports for text in report.not_read]
    if lost:
        return ended(
            "无法核对", f"{len(reports)} 份报告没有不符之处,但有内容读不出来:" + ";".join(lost[:3])
        )
    if not any(report.count("pass") for report in reports):
        return ended("无法核对", f"{len(reports)} 份报告中没有一项能够核对,原因见核对结果")
    return done(f"{len(reports)} 份报告没有不符之处")
