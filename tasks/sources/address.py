"""Addresses: put together, kept to the source's own host, and shown without secrets."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, unquote_plus, urljoin, urlsplit, urlunsplit

from tasks.sources.errors import SourceContractError

DEFAULT_PORTS = {"http": 80, "https": 443}


def join(base: str, path: str) -> str:
    """`path` below `base`; an absolute address is taken as it is."""
    if urlsplit(path).scheme:
        return path
    return base.rstrip("/") + "/" + path.lstrip("/") if path else base


def host(url: str) -> tuple[str, int]:
    """Host and port. Raises ValueError for an impossible port."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own: never asked for through a proxy."""
    name = host(url)[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def follow(current: str, link: str, base: str) -> str:
    """The address of a link found in an answer.

    Raises SourceContractError when it leads to another host: our credentials would go there.
    """
    url = urljoin(current, link)
    parts = urlsplit(url)
    own = urlsplit(base)
    try:
        # Systems behind a proxy often write http:// into links of an https:// address.
        if parts.hostname == own.hostname and parts.scheme == "http" and own.scheme == "https":
            url = urlunsplit(parts._replace(scheme=own.scheme, netloc=own.netloc))
        leads_home = urlsplit(url).scheme in DEFAULT_PORTS and host(url) == host(base)
    except ValueError:
        leads_home = False
    if not leads_home:
        raise SourceContractError(
            f"来源给出的下一地址指向别的主机 {parts.scheme}://{parts.netloc.rpartition('@')[2]},"
            f"已拒绝(只允许 {own.netloc.rpartition('@')[2]})。请与系统厂商核实,或修改 base_url"
        )
    return url


def without(url: str, names: Collection[str]) -> str:
    """The address without these query parameters: links often echo the proof they came for."""
    parts = urlsplit(url)
    kept = [
        pair for pair in parts.query.split("&") if unquote_plus(pair.partition("=")[0]) not in names
    ]
    return urlunsplit(parts._replace(query="&".join(kept))) if parts.query else url


def shown(url: str, visible: Collection[str] = (), params: Mapping[str, str] | None = None) -> str:
    """An address for messages: no user, and only the values of `visible` parameters."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *(params or {}).items()]
    query = "&".join(f"{name}={value if name in visible else '***'}" for name, value in pairs)
    text = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return f"{text}?{query}" if query else text
