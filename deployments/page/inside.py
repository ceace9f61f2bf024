"""Prefect's interface asked from inside the server: past the gate, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp

from tasks.settings import Settings

BUSY = 503
"""What Prefect answers while its database is busy with another: nothing was done, ask again."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before asking again."""


class Inside:
    """Asks the application behind the gate."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._auth = settings.auth

    async def ask(self, path: str, body: Any = None) -> Any:
        """An answer as JSON: with a body asked by POST, else by GET. None where it was refused,
        or where the application failed: whoever asks has something to tell all the same."""
        # Prefect counts who asks by task, and one that asks from within a request is there already.
        return await asyncio.create_task(self._ask(path, body))

    async def _ask(self, path: str, body: Any) -> Any:
        import httpx

        auth = None
        if self._auth is not None:
            auth = httpx.BasicAuth(*self._auth.get_secret_value().split(":", 1))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._app, raise_app_exceptions=False),
            base_url="http://inside",
            auth=auth,
        )
        async with client:
            for pause in (*PAUSES, None):
                if body is None:
                    answer = await client.get(f"/api{path}")
                else:
                    answer = await client.post(f"/api{path}", json=body)
                if answer.status_code != BUSY or pause is None:
                    break
                await asyncio.sleep(pause)
        try:
            return answer.json() if answer.is_success else None
        except ValueError:
            return None

    async def deployment(self, deployment_id: str) -> tuple[str, dict[str, Any]] | None:
        """A deployment's name and the schema of its form; None where it cannot be read."""
        found = await self.ask(f"/deployments/{deployment_id}")
        if found is None:
            return None
        return str(found.get("name", "")), dict(found.get("parameter_openapi_schema") or {})

    async def start(self, name: str, parameters: dict[str, Any]) -> str:
        """Begin a run of the deployment of that name, which is its flow's too; returns its id,
        empty where it could not be begun."""
        found = await self.ask(f"/deployments/name/{name}/{name}")
        if not found:
            return ""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        made = await self.ask(f"/deployments/{found['id']}/create_flow_run", body)
        return str((made or {}).get("id", ""))

    async def publish(self, approval: int) -> str:
        """Begin the run that publishes what was approved; returns its id, empty where it could
        not be begun."""
        return await self.start("publish", {"approval": str(approval)})

    async def run(self, run_id: str) -> dict[str, Any] | None:
        """A run with its state and what it was asked; None where there is none."""
        found = await self.ask(f"/flow_runs/{run_id}")
        return dict(found) if isinstance(found, dict) else None

    async def said(self, run_id: str) -> list[tuple[str, str]]:
        """What a run wrote into its log: (time, text), the oldest first."""
        wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        found = await self.ask("/logs/filter", {**wanted, "limit": 200})
        return [(str(one["timestamp"]), str(one["message"])) for one in found or []]

    async def stop(self, run_id: str) -> bool:
        """Ask a run to stop; whether that was taken."""
        asked = {"state": {"type": "CANCELLING"}}
        answer = await self.ask(f"/flow_runs/{run_id}/set_state", asked)
        return bool(answer) and answer.get("status") == "ACCEPT"
