"""The one settings object: environment variables `NIANBAO_…`, and where things lie.

Also the one place that turns every library's telemetry off (`quiet_libraries`); it is
applied before Prefect or Great Expectations is imported.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.wording.entries import instead
from warehouse.disk import FULL, reason_of, text_of
from warehouse.errors import ConfigurationError, MachineError

if TYPE_CHECKING:
    from warehouse.lake import Lake
    from warehouse.shelf import Shelf
    from warehouse.storage import Storage

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"
DEMO_CITY = DEPLOYMENTS / "demo_city"
PREFIX = "NIANBAO_"
PLACE = "{city}"
"""Stands in addresses and folders for the name of the city's folder."""
LONGEST_DAYS = 36_500
LONGEST_HOURS = 24 * LONGEST_DAYS
LEAST_MEMORY = 100 * 1000  # in thousands of bytes: 100 MB
MOST_THREADS = 256
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
LEAST_SECRET = 20
OF_A_RUN = "PREFECT__FLOW_RUN_ID"
"""What Prefect tells the process of a run that a worker or `nianbao serve` began."""
AWAY_SECONDS = 180
"""For how long such a run asks a database or a storage again that does not answer."""
READY_SECONDS = 90
"""How long Prefect's server may take to answer."""


class SettingsError(ConfigurationError):
    """A setting of the environment cannot be used; the message says what to do."""


class HomeError(MachineError):
    """The data home cannot be written to, or has no room; the message says what to do."""


class Settings(BaseSettings):
    """Read from `NIANBAO_…`; every value has a default that suits one machine."""

    # `NAME=` in a file of variables leaves a setting out.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", validate_default=True, env_ignore_empty=True
    )

    def __init__(self, **values: Any) -> None:
        """Raises SettingsError, which names each setting as the operator wrote it."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            wrong = (
                f"{PREFIX}{'_'.join(map(str, one['loc'])).upper()} "
                f"{self._shown(one['loc'][0], one['input'])}:{instead(one)}"
                for one in error.errors()
            )
            raise SettingsError(";".join(wrong)) from error

    @classmethod
    def _shown(cls, name: int | str, given: Any) -> str:
        """What was given, where it is no secret."""
        is_secret = "SecretStr" in str(cls.model_fields[str(name)].annotation)
        return "写得不对" if is_secret else f"不能是“{given}”"

    home: Path = Field(Path("data"), description="数据目录:湖、落地文件、版次、日志都在其中")
    city: Path = Field(
        DEMO_CITY,
        description="城市目录:来源、机关、口径、已公布数字、更正;设了 CITIES 的,写其中的名称",
    )
    cities: Path | None = Field(
        None, description="各城市目录所在的目录,一个城市一个子目录;HOME、CATALOG 等用 {city} 分开"
    )
    catalog: SecretStr = Field(
        SecretStr(""),
        description="湖的目录库:PostgreSQL 的 postgresql://用户:口令@主机/库名;不设为数据目录中的 SQLite",
    )
    storage: str = Field(
        "",
        description="湖的数据文件、落地文件与版次放在何处:目录,或对象存储 s3://桶/前缀;不设为数据目录中",
    )
    storage_endpoint: str = Field(
        "", description="对象存储的服务地址,如 https://minio.example:9000;不设为 AWS"
    )
    storage_region: str = Field("us-east-1", description="对象存储的区域")
    storage_key: SecretStr = Field(SecretStr(""), description="对象存储的访问密钥 ID")
    storage_secret: SecretStr = Field(SecretStr(""), description="对象存储的访问密钥")
    storage_secret_file: Path | None = Field(
        None, description="写有以上两项的文件,一行一个 NIANBAO_STORAGE_…=值"
    )
    storage_path_style: bool = Field(
        True, description="桶名写在路径中(MinIO、Ceph);否则写在主机名中"
    )
    storage_ca: Path | None = Field(
        None, description="签发对象存储证书的机构的证书文件(PEM);不设为系统所信任的"
    )
    lag_hours: int = Field(
        30, ge=1, le=LONGEST_HOURS, description="数据早于多少小时视为过期(nianbao status)"
    )
    fetch_workers: int = Field(4, ge=1, le=32, description="同时拉取的来源窗口数")
    retry_seconds: float = Field(
        10, ge=0, le=3600, description="来源无应答时,第一次重取前等待的秒数;其后加倍"
    )
    memory_limit: str = Field("1GB", description="DuckDB 每个连接的内存上限")
    temporary: Path | None = Field(
        None, description="内存放不下时暂存到哪个目录(本机磁盘);默认在数据目录中"
    )
    threads: int | None = Field(
        None, ge=1, le=MOST_THREADS, description="DuckDB 线程数;默认用全部核"
    )
    port: int = Field(4200, ge=1, le=65535, description="操作页面的端口(只监听本机)")
    auth: SecretStr | None = Field(None, description="操作页面的登录,写作 用户:密码;不设则不登录")
    page_url: str = Field(
        "", description="操作页面的网址,如反向代理的 https://主机/路径;不设为本机端口的地址"
    )
    sign_on_header: str = Field(
        "", description="单点登录:反向代理以哪个请求头写明已登录者的姓名;须同时设 SIGN_ON_SECRET"
    )
    sign_on_secret: SecretStr = Field(
        SecretStr(""),
        description="单点登录:反向代理每次请求在 X-Nianbao-Proxy 头中附上的密文,至少 20 个字符",
    )
    approvers: SecretStr = Field(
        SecretStr(""), description="批准人及其一次性验证码密钥,写作 姓名:密钥,姓名:密钥"
    )
    two_persons: bool = Field(False, description="批准人不得是编制人")
    notify: SecretStr = Field(
        SecretStr(""), description="消息发往何处:apprise 地址,以空格或换行分隔"
    )
    reject_threshold: int = Field(50, ge=1, description="待处理的退回记录达到多少条时发消息")
    keep_landing_years: int | None = Field(
        None, ge=1, le=100, description="落地文件保留到几年前的;不设为全部保留"
    )
    keep_run_days: int = Field(400, ge=7, le=LONGEST_DAYS, description="运行历史保留多少天")
    keep_snapshot_days: int = Field(
        35, ge=1, le=LONGEST_DAYS, description="未被版次引用的湖快照保留多少天"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_misspelt_name(cls, values: Any) -> Any:
        """A name that is nearly a setting's is a slip that would leave the default in force.

        Names that a city's source files use are theirs, however they are spelt.
        """
        names = [field.upper() for field in cls.model_fields]
        for variable in sorted(os.environ):
            name = variable.removeprefix(PREFIX)
            if name == variable or name in names:
                continue
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
            if near and not _is_used_by_a_source(variable, values.get("city")):
                raise SettingsError(
                    f"环境变量 {variable} 不认识,是不是 {PREFIX}{near[0]}?请改正或去掉后重新运行"
                )
        return values

    @model_validator(mode="before")
    @classmethod
    def _one_of_several(cls, values: Any) -> Any:
        """The city that is meant of the folder of cities, and what is each city's own."""
        cities, city = values.get("cities"), values.get("city")
        if cities and not _ADDRESS.match(str(cities).strip()):
            folder = Path(cities).expanduser().absolute()
            values = {"home": f"data/{PLACE}", **values, "city": _chosen(folder, str(city or ""))}
        name = Path(values.get("city") or DEMO_CITY).name
        return {
            key: value.replace(PLACE, name)
            if key in ("home", "temporary", "catalog", "storage") and isinstance(value, str)
            else value
            for key, value in values.items()
        }

    @field_validator(
        *("home", "city", "cities", "temporary", "storage_secret_file", "storage_ca"),
        mode="before",
    )
    @classmethod
    def _of_this_machine(cls, path: Any) -> Any:
        """An address would be taken for a folder of that name below wherever this was started."""
        if _ADDRESS.match(str(path or "").strip()):
            raise ValueError("须是本机目录,不能是网址;数据文件要放对象存储的,用 NIANBAO_STORAGE")
        return path

    @field_validator("storage")
    @classmethod
    def _folder_or_bucket(cls, place: str) -> str:
        """A folder, or a bucket; nothing that looks like an address becomes a folder."""
        place = place.strip()
        if not _ADDRESS.match(place):
            return str(Path(place).expanduser().absolute()) if place else ""
        from warehouse.storage import SCHEME, Bucket

        if not place.startswith(SCHEME):
            raise ValueError("只能是本机目录或 s3://桶/前缀")
        Bucket.of(place)
        return place

    @field_validator("storage_endpoint")
    @classmethod
    def _service(cls, address: str) -> str:
        from warehouse.storage import endpoint_of

        if address.strip():
            endpoint_of(address)
        return address.strip()

    @field_validator("memory_limit")
    @classmethod
    def _amount(cls, text: str) -> str:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", text.strip(), re.IGNORECASE)
        if found is None or float(found[1]) * 1000 ** "KMGT".index(found[2].upper()) < LEAST_MEMORY:
            raise ValueError("请写作 800MB、2GB 这样的量,不小于 100MB")
        return f"{found[1]}{found[2].upper()}{'iB' if 'i' in text.lower() else 'B'}"

    @field_validator("auth")
    @classmethod
    def _can_sign_in(cls, auth: SecretStr | None) -> SecretStr | None:
        user, _, password = (auth.get_secret_value() if auth else "x:x").partition(":")
        if not user or not password:
            raise ValueError("请填用户名与密码,中间是半角冒号,如 admin:secret")
        return auth

    @field_validator("page_url")
    @classmethod
    def _address(cls, address: str) -> str:
        address = address.strip().rstrip("/")
        if address and not re.fullmatch(r"https?://[^/?#\s@]+(/[^?#\s]*)?", address):
            raise ValueError("请写作 https://主机 或 https://主机/路径,不带用户、参数")
        return address

    @model_validator(mode="after")
    def _sign_on_is_whole(self) -> Settings:
        """A header alone could be set by anyone who reaches the port."""
        secret = self.sign_on_secret.get_secret_value()
        if self.sign_on_header and len(secret) < LEAST_SECRET:
            raise SettingsError(
                f"设了 NIANBAO_SIGN_ON_HEADER 就须设 NIANBAO_SIGN_ON_SECRET(至少 {LEAST_SECRET} 个字符),"
                "并让反向代理在 X-Nianbao-Proxy 请求头中附上它:没有它,谁连得上端口谁就能冒名"
            )
        if secret and not self.sign_on_header:
            raise SettingsError("设了 NIANBAO_SIGN_ON_SECRET 而没有设 NIANBAO_SIGN_ON_HEADER")
        return self

    @field_validator("home", "city", "cities", "temporary", "storage_secret_file", "storage_ca")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @property
    def city_name(self) -> str:
        return self.city.name

    @property
    def _folders(self) -> Path:
        """What landings and editions lie below on this machine: a bucket's are copied here."""
        is_folder = bool(self.storage) and not _ADDRESS.match(self.storage)
        return Path(self.storage) if is_folder else self.home

    @property
    def landing(self) -> Path:
        return self._folders / "landing"

    @property
    def editions(self) -> Path:
        return self._folders / "editions"

    @property
    def landing_shelf(self) -> Shelf:
        """Where landings are kept. Raises SettingsError."""
        return self._shelf(self.landing)

    @property
    def edition_shelf(self) -> Shelf:
        """Where the folders of editions and their sets are kept. Raises SettingsError."""
        return self._shelf(self.editions)

    def _shelf(self, folder: Path) -> Shelf:
        from warehouse.shelf import BucketShelf, FolderShelf
        from warehouse.storage import Bucket

        placed = self.placed()
        if not isinstance(placed, Bucket):
            return FolderShelf(folder)
        return BucketShelf(folder, placed, folder.name, self.home / "kept" / folder.name)

    @property
    def files_url(self) -> str:
        """Where the editions' files are served, beside the page; empty where none is."""
        return f"{self.page_url}/editions" if self.page_url else ""

    @property
    def environment_file(self) -> Path:
        """Addresses and secrets of the city's sources, one NAME=value a line."""
        return self.home / f"{self.city_name}.env"

    @property
    def sources(self) -> Path:
        return self.city / "sources"

    @property
    def overview(self) -> Path | None:
        path = self.city / "overview.yaml"
        return path if path.exists() else None

    def lake(self, write_timeout: float = 600) -> Lake:
        """The lake of this home and city; a writer waits `write_timeout` seconds for another.

        A run that was begun by a server waits as well for a catalog or a storage that is away for a moment; at
        a command somebody sits who is told at once.
        """
        from warehouse.lake import Lake

        return Lake(
            self.home,
            self.memory_limit,
            self.threads,
            write_timeout,
            self.catalog.get_secret_value(),
            self.temporary,
            self.city,
            self.placed(),
            AWAY_SECONDS if OF_A_RUN in os.environ else 0,
        )

    def placed(self) -> Storage | None:
        """Where the lake's data files lie when not in the home. Raises SettingsError."""
        from warehouse.storage import FILES, SCHEME, Bucket, Folder, endpoint_of

        if not self.storage:
            return None
        if not self.storage.startswith(SCHEME):
            return Folder(Path(self.storage).joinpath(*FILES))
        key, secret = self._storage_credentials()
        endpoint, is_encrypted = (
            endpoint_of(self.storage_endpoint) if self.storage_endpoint else ("", True)
        )
        if self.storage_ca is not None and not self.storage_ca.is_file():
            raise SettingsError(f"NIANBAO_STORAGE_CA: 没有文件 {self.storage_ca}")
        return replace(
            Bucket.of(self.storage),
            endpoint=endpoint,
            region=self.storage_region,
            key=key,
            secret=secret,
            has_path_style=self.storage_path_style,
            is_encrypted=is_encrypted,
            authority=self.storage_ca,
        )

    def _storage_credentials(self) -> tuple[str, str]:
        """Key and secret, from the environment or from the file that it names."""
        told = {}
        if self.storage_secret_file is not None:
            if not self.storage_secret_file.is_file():
                raise SettingsError(
                    f"NIANBAO_STORAGE_SECRET_FILE: 没有文件 {self.storage_secret_file}"
                )
            told = read_environment_file(self.storage_secret_file)
        key, secret = (
            given.get_secret_value() or told.get(f"{PREFIX}{name}", "").strip("'\"")
            for name, given in (
                ("STORAGE_KEY", self.storage_key),
                ("STORAGE_SECRET", self.storage_secret),
            )
        )
        if not key or not secret:
            raise SettingsError(
                "NIANBAO_STORAGE 是对象存储,而没有密钥:请设 NIANBAO_STORAGE_KEY 与 "
                "NIANBAO_STORAGE_SECRET,或用 NIANBAO_STORAGE_SECRET_FILE 指明写有它们的文件"
            )
        return key, secret

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The process environment laid over the city's environment file."""
        return {**read_environment_file(self.environment_file), **os.environ}


def cities_of(folder: Path) -> list[Path]:
    """The cities of a folder of cities, by name: the folders in it that have an `organs.csv`."""
    return sorted(path.parent for path in folder.glob("[!.]*/organs.csv"))


def _chosen(folder: Path, city: str) -> str:
    """The folder of the city that is meant; one that is named by its path lies where it lies.

    Raises SettingsError where a name is none of the cities', or none is named and there are several.
    """
    if "/" in city:
        return city
    there = cities_of(folder)
    if not city and len(there) == 1:
        return str(there[0])
    if city and folder / city in there:
        return str(folder / city)
    names = "、".join(path.name for path in there) or "没有城市"
    if not city:
        raise SettingsError(
            f"没有写明是哪个城市:{folder} 中有 {names}。请用 --city 或 NIANBAO_CITY 写明;"
            "新建城市用 nianbao city new"
        )
    raise SettingsError(f"{folder} 中没有城市“{city}”,现有:{names}。新建用 nianbao city new")


def settings_of_all() -> list[Settings]:
    """The settings of each city of `NIANBAO_CITIES`, by name. Raises SettingsError."""
    return [Settings(city=folder) for folder in cities_of(cities_folder())]


def cities_folder() -> Path:
    """The folder of cities, whether or not one of them is meant. Raises SettingsError."""
    given = os.environ.get(f"{PREFIX}CITIES", "").strip()
    if not given or "://" in given:
        raise SettingsError(
            "没有设 NIANBAO_CITIES:请指明各城市目录所在的目录(本机目录),如 /srv/nianbao/cities"
        )
    return Path(given).expanduser().absolute()


def _is_used_by_a_source(variable: str, city: Path | str | None) -> bool:
    """Whether a source file of the city asks for a variable of this name."""
    folder = Path(city or DEMO_CITY).expanduser() / "sources"
    asked = f"${{{variable}}}".encode()
    return any(asked in path.read_bytes() for path in folder.glob("*.y*ml"))


LEAST_FREE = 100 * 2**20
"""Below this a run would end half-way."""


def check_home(settings: Settings) -> None:
    """Raises HomeError where the data home cannot be written to, or has no room left.

    Looked at before Prefect keeps its own database there, which says nothing one can act on.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=home):
            pass
        free = shutil.disk_usage(home).free
    except OSError as error:
        if error.errno in FULL:
            free = 0
        else:
            raise HomeError(
                f"数据目录 {home} 不能写入({reason_of(error)})。"
                "请检查挂载方式与所属用户,或用 NIANBAO_HOME 另指目录"
            ) from error
    if free < LEAST_FREE:
        raise HomeError(
            f"数据目录 {home} 所在磁盘只剩 {free / 2**20:.0f} MB,不足以运行。已有数据完好;"
            f"请清出至少 {LEAST_FREE / 2**20:.0f} MB,或用 NIANBAO_HOME 另指目录"
        )


def read_environment_file(path: Path) -> dict[str, str]:
    """NAME=value lines; blank lines and `#` comments are skipped. No file is no values."""
    if not path.exists():
        return {}
    values = {}
    for line in text_of(path).splitlines():
        name, found, value = line.strip().partition("=")
        if found and not name.startswith("#"):
            values[name.strip()] = value.strip()
    return values


QUIET = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # The page of long standing; the newer one is still being built.
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(READY_SECONDS),
    # A run's sign of life, by which the server knows one whose process is gone (prefect.yaml).
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
}


def quiet_libraries() -> None:
    """Turn every library's telemetry off in this process. What the operator has set in the
    environment stands; nothing is read from disk, and nothing made there."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def quiet_environment(settings: Settings) -> None:
    """`quiet_libraries`, and a private home for Prefect under the data home.

    For those who start something: before Prefect is imported.
    """
    quiet_libraries()
    home = settings.home / "prefect"
    os.environ.setdefault("PREFECT_HOME", str(home))
    if "?" in str(home):
        # What follows it would be read as options, and the database be made beside the home.
        database = quote(str(home / "prefect.db"))
        os.environ.setdefault(
            "PREFECT_API_DATABASE_CONNECTION_URL",
            f"sqlite+aiosqlite:///file:{database}?uri=true",
        )
    # Prefect creates the last folder only, and says no more than "unable to open database".
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
