"""核对报告: reports are sent, audited in a run of their own, and shown: who fails where."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from deployments.page.acting import actor_of, filled, not_allowed
from deployments.page.body import UPLOADS
from deployments.page.desk import (
    STALE_FORM,
    Desk,
    Forged,
    NotThere,
    desk_of,
    may_work,
    no_such_page,
    said,
    shown,
    to,
)
from deployments.page.upload import Unwritable, receive_files
from tasks.audit.batch import KINDS
from tasks.audit.uploads import (
    REPORTS,
    Batch,
    NoBatch,
    UploadRefused,
    batch_of,
    batches,
    keep_about,
    new_batch,
)
from tasks.clock import now
from tasks.desk.building import RunShown, run_shown
from tasks.editions.store import edition_rows
from tasks.people import log
from tasks.settings import Settings
from warehouse.errors import EntryError, NianbaoError

AT = "audit"
DEPLOYMENT = "report-audit"
FILES: Mapping[str, str] = {"figures.csv": "text/csv", "figures.xlsx": "application/octet-stream"}
"""What can be taken along of a batch besides its pages."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""For a marked page: what a report said stands in it, and it needs nothing from outside."""


class NotStarted(EntryError):
    """The run could not be begun; what was sent is not kept."""


async def audit_page(request: Request) -> Response:
    """The form, and the batches that were sent."""
    return await _form(request)


async def send_reports(request: Request) -> Response:
    """Take reports in, and begin the run that audits them."""
    if (refusal := not_allowed(request, "上传报告", AT)) is not None:
        return refusal
    desk = desk_of(request)
    name = new_batch(now())
    folder = desk.settings.home / REPORTS / name
    try:
        told, files = await receive_files(request, folder)
    except Forged:
        return await _form(request, said=STALE_FORM, status=403)
    except (UploadRefused, Unwritable) as error:
        return await _form(request, said=str(error), status=422)
    edition = told.get("edition", "").strip()
    actor = actor_of(request, told)
    try:
        await asyncio.to_thread(_check_edition, desk.settings, edition)
        run = await desk.inside.start(DEPLOYMENT, {"path": name, "edition": edition})
        if not run:
            raise NotStarted("没有开始核对:运行台没有应答。请过一会儿再上传")
        batch = Batch(name, now(), actor.name, tuple(files), edition, run)
        await asyncio.to_thread(_kept, desk, batch)
    except (NianbaoError, OSError) as error:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return await _form(request, told, str(error), 422)
    return to(request, f"/desk/audit/{name}")


def _check_edition(settings: Settings, edition: str) -> None:
    if edition and edition not in _editions(settings):
        raise UploadRefused("没有这个版次,请从列表中选择")


def _kept(desk: Desk, batch: Batch) -> None:
    keep_about(desk.settings.home, batch)
    with desk.door.office.change() as connection:
        about = f"{len(batch.files)} 个文件,批次 {batch.name}"
        log.write(connection, batch.person, "上传报告核对", about, now=batch.sent_at)


def _editions(settings: Settings) -> list[str]:
    """The editions that reports can be held against, the newest first; none without a lake."""
    try:
        with settings.lake().read() as connection:
            rows = edition_rows(connection)
    except NianbaoError:
        return []
    return [r.edition_id for r in sorted(rows, key=lambda r: r.built_at, reverse=True)]


async def _form(
    request: Request, told: Mapping[str, str] | None = None, said: str = "", status: int = 200
) -> Response:
    settings = desk_of(request).settings

    def made() -> Mapping[str, Any]:
        return {"batches": batches(settings.home), "editions": _editions(settings)}

    return await shown(
        request,
        "audit.html.j2",
        made,
        status=status,
        at=AT,
        said=said,
        told=filled(told),
        may=may_work(request),
        path=UPLOADS,
    )


async def batch_page(request: Request) -> Response:
    """What came of a batch: who fails where, and one report's failures."""
    desk = desk_of(request)
    try:
        batch = await asyncio.to_thread(_batch, desk, request)
    except NianbaoError as error:
        return said(request, str(error), status=404, at=AT)
    run: RunShown | None = None
    if batch.result is None and batch.run:
        told = await desk.inside.run(batch.run)
        run = run_shown(told, await desk.inside.said(batch.run), now()) if told else None
    wanted = request.query_params.get("report", "")
    chosen = next((r for r in batch.reports if r["page"] == wanted), None)
    return await shown(
        request,
        "audit_batch.html.j2",
        lambda: {"batch": batch, "run": run, "chosen": chosen, "kinds": KINDS},
        at=AT,
    )


async def report_page(request: Request) -> Response:
    """One report as it was read, every figure marked."""
    desk = desk_of(request)
    try:
        batch = await asyncio.to_thread(_batch, desk, request)
    except NianbaoError as error:
        return said(request, str(error), status=404, at=AT)
    name = request.path_params["name"]
    if batch.folder is None or name not in {r["page"] for r in batch.reports}:
        return await no_such_page(request)
    return _file(batch.folder / name, "text/html", {"Content-Security-Policy": PAGE_POLICY})


async def batch_file(request: Request) -> Response:
    """The figures of a batch, to take along."""
    desk = desk_of(request)
    try:
        batch = await asyncio.to_thread(_batch, desk, request)
    except NianbaoError as error:
        return said(request, str(error), status=404, at=AT)
    name = request.path_params["name"]
    if batch.folder is None or name not in FILES:
        return await no_such_page(request)
    given = f'attachment; filename="{name}"'
    return _file(batch.folder / name, FILES[name], {"Content-Disposition": given})


def _batch(desk: Desk, request: Request) -> Batch:
    try:
        return batch_of(desk.settings.home, request.path_params["batch"])
    except NoBatch as error:
        raise NotThere(str(error)) from error


def _file(path: Path, kind: str, headers: Mapping[str, str]) -> Response:
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-store", **headers})


ROUTES: list[BaseRoute] = [
    Route(UPLOADS, audit_page, methods=["GET"]),
    Route(UPLOADS, send_reports, methods=["POST"]),
    Route("/audit/{batch}", batch_page, methods=["GET"]),
    Route("/audit/{batch}/file/{name}", batch_file, methods=["GET"]),
    Route("/audit/{batch}/page/{name}", report_page, methods=["GET"]),
]
