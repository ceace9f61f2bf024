"""One process that serves everything: Prefect's server with its page, and the deployments.

The server (and, if wanted, the demo city) are children of this process; runs are children of
its runner. Ctrl-C or SIGTERM stops all of them, each by its own process id.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from deployments.child_server import HOST, server
from deployments.declared import deployments_of
from deployments.server import check_doors, server_environment
from tasks.clock import now
from tasks.lifeline import lifeline
from tasks.settings import Settings, check_home, quiet_environment
from warehouse.errors import MachineError

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner

POLL_SECONDS = 2
FORMS_SECONDS = 5
"""Between two looks at what the forms list from."""
RUNS_AT_ONCE = 4
LET_GO_SECONDS = 3
A_DAY = timedelta(days=1)


class ServeError(MachineError):
    """The services cannot be started; the message says what to do."""


def check_port(port: int) -> None:
    """Raises ServeError when something else listens on the port, and does not let go of it: the
    server of a `serve` that was killed ends a moment after it."""
    until = time.monotonic() + LET_GO_SECONDS
    while (error := _taken(port)) is not None:
        if time.monotonic() > until:
            raise ServeError(
                f"端口 {port} 已被占用,可能 nianbao serve 已在运行。"
                f"请先停止它,或换一个端口:nianbao serve --port {port + 1}"
            ) from error
        time.sleep(0.2)


def _taken(port: int) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """One `nianbao serve` a data home. Raises ServeError for a second."""
    check_home(settings)
    lock = FileLock(settings.home / "serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ServeError(
            f"数据目录 {settings.home} 已有一个 nianbao serve 在运行。请先停止它,"
            "或用 NIANBAO_HOME 另指数据目录"
        ) from error
    try:
        yield
    finally:
        lock.release()


def serve(settings: Settings, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the page's address once everything answers.

    Raises ApprovalRefused when the approvers are malformed, DoorsError when nobody would have to
    sign in who should, ServeError when the port is taken or another one serves the same data home.
    """
    # A list of approvers that cannot be read must not end in forms without one.
    check_doors(settings)
    with only_one(settings):
        check_port(port)
        quiet_environment(settings)
        os.environ.update(server_environment(settings, port))
        os.environ["NIANBAO_HOME"] = str(settings.home)
        os.environ["NIANBAO_CITY"] = str(settings.city)
        # Runs end with this process.
        os.environ.update(lifeline())
        # Runs say in their log what they do; without this only what went wrong is kept.
        os.environ["PREFECT_LOGGING_LEVEL"] = "INFO"
        with interruptible(), server(settings, port) as child:
            made = runner_deployments()
            asyncio.run(
                _run(
                    child, made, f"http://{HOST}:{port}", ready, settings.home / "logs" / "runs.log"
                )
            )


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does; a Ctrl-C is heeded even where the shell that
    started it in the background ignores it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTERM, interrupt),
            (signal.SIGINT, signal.default_int_handler),
        )
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Lines that runs and the runner print go to a file, not over the operator's terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)


async def _run(
    child: subprocess.Popen[bytes],
    made: Sequence[RunnerDeployment],
    address: str,
    ready: Callable[[str], None],
    log: Path,
) -> None:
    """Register the deployments and run what is asked of them."""
    from prefect.runner import Runner

    from flows.form_defaults import refresh_forms

    await end_lost_runs()
    runner = Runner(
        name="nianbao", query_seconds=POLL_SECONDS, limit=RUNS_AT_ONCE, pause_on_shutdown=False
    )
    for deployment in made:
        await runner.aadd_deployment(deployment)
    await asyncio.to_thread(refresh_forms)
    ready(address)
    with output_to(log):
        await _poll(runner, child)
    if child.poll() is not None:
        raise ServeError(f"服务进程意外结束,原因见 {log.parent}")


async def _poll(runner: Runner, child: subprocess.Popen[bytes]) -> None:
    """Run what falls due until interrupted, or until the server ends."""
    polling = asyncio.create_task(runner.start())
    watching = asyncio.create_task(_until_ended(child))
    forms = asyncio.create_task(_keep_forms())
    await asyncio.wait({polling, watching}, return_when=asyncio.FIRST_COMPLETED)
    for task in (polling, watching, forms):
        task.cancel()
    if child.poll() is None:
        await polling


async def _keep_forms() -> None:
    """Bring the forms up to date whenever a day begins or a file that they list from changes."""
    from flows.form_defaults import refresh_forms

    settings = Settings()
    shown = None
    while True:
        files = [settings.city / "organs.csv", *sorted(settings.sources.glob("*.y*ml"))]
        there = (now().date(), [(f, f.stat().st_mtime_ns) for f in files if f.exists()])
        if there != shown:
            # A server that is busy, or a file just being written, is asked again at the next look.
            with suppress(Exception):
                await asyncio.to_thread(refresh_forms)
                shown = there
        await asyncio.sleep(FORMS_SECONDS)


async def _until_ended(child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        await asyncio.sleep(1)


def runner_deployments() -> list[RunnerDeployment]:
    """The deployments of `prefect.yaml` for the runner of this process."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.events import DeploymentEventTrigger
    from prefect.flows import load_flow_from_entrypoint
    from prefect.types.entrypoint import EntrypointType

    from flows.form_defaults import form_defaults

    made = []
    for entry in deployments_of(Settings()):
        path, _, function = entry["entrypoint"].partition(":")
        module = ".".join(Path(path).with_suffix("").parts)
        flow: Any = load_flow_from_entrypoint(f"{module}.{function}")
        limit = entry.get("concurrency_limit")
        deployment = flow.to_deployment(
            name=entry["name"],
            description=entry["description"],
            tags=entry["tags"],
            enforce_parameter_schema=entry["enforce_parameter_schema"],
            schedules=[CronSchedule(**s) for s in entry.get("schedules", [])],
            concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
            triggers=[
                DeploymentEventTrigger(**{k: v for k, v in t.items() if k != "type"})
                for t in entry.get("triggers", [])
            ],
            parameters=form_defaults(entry["name"]),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        made.append(deployment)
    return made


async def end_lost_runs() -> None:
    """Mark as crashed what an earlier process left begun or about to begin: nobody runs it any
    more, and it would hold its deployment's only slot.

    A run of a command is not one of ours; it is left until nobody can be waiting for it.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    begun = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    left = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=begun)))
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=left):
            seen = run.state.timestamp if run.state else run.created
            if run.deployment_id or seen is None or datetime.now(UTC) - seen > A_DAY:
                await client.set_flow_run_state(
                    run.id, Crashed(message="服务停止时运行被中断"), force=True
                )
