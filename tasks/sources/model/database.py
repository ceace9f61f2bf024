"""A source that is a database: how it is reached. What is asked of it stands in the resources."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import SecretStr, model_validator

from tasks.sources.model.base import Part, Says


class Database(Part):
    """A database that is read with SQL, and only read."""

    type: Annotated[
        Literal["postgres", "mysql", "sqlite"], Says("数据库的种类", "kind of database")
    ]
    address: Annotated[
        SecretStr | None,
        Says(
            "连接地址,写作 ${环境变量}:postgresql://用户:口令@主机:端口/库名 或 mysql://用户:口令@主机:端口/库名;账号只需读的权限",
            "address, as ${NAME}: postgresql://user:password@host:port/name or mysql://…; the account needs to read only",
        ),
    ] = None
    file: Annotated[
        str | None,
        Says("SQLite 文件,相对来源文件所在目录", "SQLite file, relative to the source file"),
    ] = None

    @model_validator(mode="after")
    def _one_place(self) -> Database:
        if (self.type == "sqlite") != (self.file is not None) or (
            (self.type == "sqlite") == (self.address is not None)
        ):
            raise ValueError("sqlite 写 file(文件);postgres、mysql 写 address(连接地址)")
        return self


_BEGINS = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def wrong_query(query: str) -> str | None:
    """Why a query cannot be one that only reads; None where it may be."""
    bare = _TEXTS.sub("''", _COMMENTS.sub(" ", query)).strip().rstrip(";")
    if not _BEGINS.match(bare):
        return "须以 SELECT 或 WITH 开头"
    if ";" in bare:
        return "只能是一条语句"
    return None
