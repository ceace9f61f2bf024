"""A source: one system of a city, as its file describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, field_validator

from tasks.sources.model.auth import Auth, NoAuth
from tasks.sources.model.base import Part, Says, Texts
from tasks.sources.model.database import Database
from tasks.sources.model.fields import CodeMap
from tasks.sources.model.resource import RejectLimit, Resource


class Http(Part):
    """How the system is called."""

    timeout_seconds: Annotated[float, Says("等待响应的秒数", "seconds to wait for an answer")] = (
        Field(30, gt=0)
    )
    connect_timeout_seconds: Annotated[
        float, Says("建立连接的秒数", "seconds to wait for a connection")
    ] = Field(10, gt=0)
    retries: Annotated[int, Says("失败后重试的次数", "repeats after a failure")] = Field(
        5, ge=0, le=20
    )
    longest_wait_seconds: Annotated[
        float, Says("一次重试前最多等多久(含 Retry-After)", "longest wait before a repeat")
    ] = Field(120, gt=0)
    concurrency: Annotated[int, Says("同时请求数", "requests side by side")] = Field(4, ge=1, le=32)
    requests_per_second: Annotated[
        float | None, Says("对同一主机每秒最多请求数", "most requests a second to the host")
    ] = Field(None, gt=0)
    headers: Annotated[dict[str, str], Says("每个请求都带的头", "headers of every request")] = (
        Field(default_factory=dict)
    )
    ca_file: Annotated[
        str | None,
        Says(
            "自建证书机构的证书文件(证书校验不能关闭)",
            "certificate authority file; checks cannot be turned off",
        ),
    ] = None
    proxy: Annotated[str | None, Says("代理地址", "proxy")] = None
    total_seconds: Annotated[
        float | None,
        Says(
            "一个响应最多传多久(秒),不足即重试;默认为 timeout_seconds 的 10 倍",
            "longest time for one whole answer; by default ten times timeout_seconds",
        ),
    ] = Field(None, gt=0)
    max_response_megabytes: Annotated[int, Says("一个响应的大小上限", "largest answer")] = Field(
        256, ge=1
    )

    @property
    def longest_answer_seconds(self) -> float:
        """How long one answer may take from the first byte to the last."""
        return self.total_seconds or 10 * self.timeout_seconds


class Success(Part):
    """How an answer with HTTP 200 says that it is one."""

    path: Annotated[str, Says("业务状态码的路径", "path of the business code")]
    values: Annotated[Texts, Says("表示成功的值", "values that mean success")]
    retry: Annotated[Texts, Says("表示可稍后重试的值", "values that mean try again later")] = ()
    message: Annotated[
        str | None,
        Says(
            "错误说明的路径;会显示给操作员,确认不含个人信息才写",
            "path of the error text shown to operators",
        ),
    ] = None


class Source(Part):
    """One information system: address, sign-in, code maps, resources."""

    name: Annotated[
        str,
        Says(
            "来源名称,即各核心表的 source_system", "name, the source_system of every table it fills"
        ),
    ] = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Annotated[str, Says("中文名称", "Chinese name")]
    base_url: Annotated[
        str | None,
        Says("接口的根地址;只读本机工作簿时不写", "root address; none for local workbooks"),
    ] = None
    database: Annotated[
        Database | None,
        Says(
            "数据库,代替 base_url;资源中写 query",
            "a database instead of base_url; resources have a query",
        ),
    ] = None
    auth: Annotated[Auth, Says("登录方式", "sign-in")] = NoAuth()
    http: Annotated[Http, Says("请求的限度", "limits of requests")] = Http()
    timezone: Annotated[
        str, Says("来源中不带时区的时间所用的时区", "zone of times that carry none")
    ] = "Asia/Shanghai"
    success: Annotated[
        Success | None,
        Says("HTTP 200 之外还要看的业务状态码", "business code to look at beside HTTP 200"),
    ] = None
    null_values: Annotated[
        Texts, Says("除空白外也算没有值的写法", "what stands for nothing beside blanks")
    ] = ()
    code_maps: Annotated[dict[str, CodeMap], Says("代码表", "code maps")] = Field(
        default_factory=dict
    )
    reject_limit: Annotated[RejectLimit, Says("退回上限", "limit of rejects")] = RejectLimit()
    resources: Annotated[tuple[Resource, ...], Says("资源", "resources")] = Field(min_length=1)

    _file: Path = PrivateAttr(default=Path("source.yaml"))
    _code_values: dict[str, dict[str, str]] = PrivateAttr(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc
        ):
            raise ValueError("地址须以 http:// 或 https:// 开头并带主机名")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"时区 {value} 不认识;例如 Asia/Shanghai、UTC") from error
        return value

    @property
    def file(self) -> Path:
        """The source file it was read from."""
        return self._file

    @property
    def code_values(self) -> dict[str, dict[str, str]]:
        """The values of each code map, those of its CSV included."""
        return self._code_values

    def resource(self, name: str) -> Resource:
        """The resource of that name. Raises KeyError."""
        for resource in self.resources:
            if resource.name == name:
                return resource
        raise KeyError(name)

    def settle(self, file: Path, code_values: dict[str, dict[str, str]]) -> Source:
        """Remember where the source was read and what its code maps hold."""
        self._file = file
        self._code_values = code_values
        return self
