"""A plain client of the four services: each vendor's sign-in and pages, in the fewest words.

For tests and for `check`; the pipeline has its own connector.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from deployments.demo_city.service.media_service import signature

Record = dict[str, Any]
_TIMEOUT = 60


class Client:
    """Pulls whole resources from the services that an environment file names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._env = environment
        self.session = requests.Session()
        self.session.trust_env = False
        self._token = ""

    def url(self, service: str, path: str) -> str:
        return self._env[f"NIANBAO_{service.upper()}_URL"] + path

    def get(self, service: str, path: str, **parameters: Any) -> requests.Response:
        """One signed-in request; whatever the answer."""
        sign = getattr(self, f"_sign_{service}")
        response: requests.Response = self.session.get(
            self.url(service, path), params=parameters, timeout=_TIMEOUT, **sign(parameters)
        )
        return response

    def control(self, service: str, method: str, path: str, **options: Any) -> Any:
        """One request to the control surface."""
        url = self.url(service, f"/_control/{path}")
        response = self.session.request(method, url, timeout=_TIMEOUT, **options)
        response.raise_for_status()
        return response.json()

    def _sign_cms(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"headers": {"X-Api-Key": self._env["NIANBAO_CMS_KEY"]}}

    def _sign_ledger(self, _: Mapping[str, Any]) -> dict[str, Any]:
        env = self._env
        return {"auth": (env["NIANBAO_LEDGER_USER"], env["NIANBAO_LEDGER_PASSWORD"])}

    def _sign_media(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        timestamp, nonce = str(int(time.time())), secrets.token_hex(12)
        signed = [(name, str(value)) for name, value in parameters.items()]
        headers = {
            "X-App-Key": self._env["NIANBAO_MEDIA_KEY_ID"],
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Signature": signature(self._env["NIANBAO_MEDIA_SECRET"], timestamp, nonce, signed),
        }
        return {"headers": headers}

    def _sign_hotline(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {self._token}"}}

    def new_token(self) -> str:
        """Sign in to the hotline."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._env["NIANBAO_HOTLINE_CLIENT_ID"],
            "client_secret": self._env["NIANBAO_HOTLINE_CLIENT_SECRET"],
        }
        answer = self.session.post(self.url("hotline", "/oauth/token"), data=form, timeout=_TIMEOUT)
        self._token = answer.json()["access_token"]
        return self._token

    def cms(self, name: str, size: int = 1000) -> Iterator[Record]:
        number = 1
        while True:
            data = self.get("cms", f"/api/{name}", pageNo=number, pageSize=size).json()["data"]
            yield from data["list"]
            if number * size >= data["total"]:
                return
            number += 1

    def hotline(self, name: str, size: int = 2000, **first: Any) -> Iterator[Record]:
        parameters: dict[str, Any] = {"limit": size, **first}
        while True:
            answer = self.get("hotline", f"/v2/{name}", **parameters)
            if answer.status_code == 401:
                self.new_token()
                continue
            if answer.status_code == 429:
                time.sleep(float(answer.headers["Retry-After"]))
                continue
            body = answer.json()
            yield from body["data"]
            if not body["paging"]["hasMore"]:
                return
            parameters = {"limit": size, "cursor": body["paging"]["nextCursor"]}

    def media(self, name: str, size: int = 1000) -> Iterator[Record]:
        offset = 0
        while True:
            body = self.get("media", f"/openapi/{name}", offset=offset, limit=size).json()
            yield from body["items"]
            offset += size
            if offset >= body["total"]:
                return

    def ledger(self, name: str, size: int = 1000) -> Iterator[Record]:
        answer = self.get("ledger", f"/{name}", per_page=size)
        while True:
            yield from answer.json()["data"]["items"]
            following = answer.links.get("next")
            if following is None:
                return
            answer = self.session.get(following["url"], timeout=_TIMEOUT, **self._sign_ledger({}))
