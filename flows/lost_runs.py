"""Runs that crashed or failed unforeseen are told at once, by hooks of the flows.

The server's triggers (flow `alert`) tell of runs that did not begin when they were due, and
stand behind these hooks: they may hear of a scheduled run only a quarter of an hour later.
"""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow

from tasks.clock import now
from tasks.settings import Settings
from tasks.watch.notify import lost_run_message, notify


def tell_lost_run(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook for crash and failure; a run that failed on purpose has a state of its own name
    and has said what it had to say."""
    if state.name not in ("Crashed", "Failed"):
        return
    settings = Settings()
    lake = settings.lake(write_timeout=60)
    message = lost_run_message(flow.name, flow_run.name, state.name, now())
    notify(lake, settings, [message], now=now())
