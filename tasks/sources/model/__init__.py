"""The source file: what a city's data engineer writes to connect a system.

The vocabulary is that of declarative REST loaders. `load_sources` reads a city's files;
every mistake is named with file, line, key and what is allowed.
"""

from tasks.sources.model.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    NoAuth,
    OAuth2ClientCredentials,
    OAuth2Password,
    SessionLogin,
    Signed,
)
from tasks.sources.model.database import Database
from tasks.sources.model.fields import CodeMap, Condition, FieldRule, Fields, Removed
from tasks.sources.model.paginator import (
    Cursor,
    LinkHeader,
    NextLink,
    Offset,
    PageNumber,
    Paginator,
    Single,
)
from tasks.sources.model.resource import (
    Child,
    ControlTotal,
    CursorRule,
    Detail,
    Listing,
    RejectLimit,
    Resource,
    WindowRule,
    Workbook,
)
from tasks.sources.model.source import Http, Source, Success
from tasks.sources.model.source_file import load_source, load_sources

__all__ = [
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "Child",
    "CodeMap",
    "Condition",
    "ControlTotal",
    "Cursor",
    "CursorRule",
    "Database",
    "Detail",
    "FieldRule",
    "Fields",
    "Http",
    "LinkHeader",
    "Listing",
    "NextLink",
    "NoAuth",
    "OAuth2ClientCredentials",
    "OAuth2Password",
    "Offset",
    "PageNumber",
    "Paginator",
    "RejectLimit",
    "Removed",
    "Resource",
    "SessionLogin",
    "Signed",
    "Single",
    "Source",
    "Success",
    "WindowRule",
    "Workbook",
    "load_source",
    "load_sources",
]
