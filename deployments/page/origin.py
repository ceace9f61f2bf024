"""Whose requests the port answers: those that name it as it is called, and come from its own pages.

A page of another site that is open in the same browser can send requests to a port of this
machine. It cannot hide where it comes from (Origin, Sec-Fetch-Site), nor, when it has a name of
its own lead to this machine, under which name it asked (Host).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
UI_API_URL = "PREFECT_UI_API_URL"
FOREIGN = "请求来自别的网站,不予办理。请在本系统的页面上操作"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class OwnNames:
    """The names under which the port is reached: `hosts` as in Host, `origins` as in Origin."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, port: int, *addresses: str) -> OwnNames:
        """The loopback names with a port, and the outer addresses of a reverse proxy."""
        hosts, origins = set(), set()
        for name in LOOPBACK:
            hosts.add(f"{name}:{port}")
            origins.add(f"http://{name}:{port}")
            if port == _DEFAULT_PORTS["http"]:
                hosts.add(name)
                origins.add(f"http://{name}")
        for address in filter(None, addresses):
            parts = urlsplit(address.lower())
            if parts.scheme in _DEFAULT_PORTS and parts.hostname:
                # Browsers leave a scheme's usual port out, some proxies do not.
                usual = _DEFAULT_PORTS[parts.scheme]
                bare = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
                if parts.port in (None, usual):
                    hosts |= {bare, f"{bare}:{usual}"}
                    origins.add(f"{parts.scheme}://{bare}")
                else:
                    hosts.add(f"{bare}:{parts.port}")
                    origins.add(f"{parts.scheme}://{bare}:{parts.port}")
        return cls(frozenset(hosts), frozenset(origins))

    def why_not(self, method: str, headers: Mapping[str, str], *, is_socket: bool) -> str | None:
        """Why a request is not answered, in a sentence; None for one of our own.

        `headers` by their names in small letters.
        """
        host = headers.get("host", "").lower()
        if host not in self.hosts:
            return (
                "不认识的地址:这个端口只以自己的地址应答。"
                "经反向代理访问的,请把 NIANBAO_PAGE_URL 设为页面的网址"
            )
        origin = headers.get("origin")
        if origin is not None:
            return None if origin.lower() in self.origins else FOREIGN
        if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return None
        # A link elsewhere may lead here; nothing else may ask from elsewhere.
        is_followed = (
            method in SAFE_METHODS
            and not is_socket
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest", "document") == "document"
        )
        return None if is_followed else FOREIGN


def own_names(port: int, page_url: str) -> OwnNames:
    """The names of this installation's port."""
    return OwnNames.of(port, page_url, os.environ.get(UI_API_URL, ""))
