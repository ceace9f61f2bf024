"""An installation of several machines, as docs/scale.md writes it: on host `a` PostgreSQL, Redis, Prefect's
server and the workers' door, on host `s` an object storage, workers on the others, and the systems of so
many demo cities outside."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Any

import requests

from benchmarks.hosts.network import Host, Network
from tests.certificates import certificate
from tests.nginx import nginx_command
from tests.postgres import programs

CODE = Path(__file__).parents[2]
NIANBAO = Path(sys.executable).with_name("nianbao")
DOCS = CODE / "docs" / "scale.md"
PROVINCE = "province"
BUCKET = "nianbao"
DOOR, PAGE, STORAGE, DATABASE, REDIS = 4201, 4200, 9000, 5432, 6379
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
SERVER = """
import sys
import deployments.automations as automations
entries = automations.declared()
for entry in entries:
    entry["trigger"]["within"] = int(sys.argv[1])
automations.declared = lambda: entries
sys.argv = sys.argv[:1]
from deployments.server import main
main()
"""
Environment = dict[str, str]


def wait_for(what: str, found: Callable[[], Any], timeout: float = 120, every: float = 0.5) -> Any:
    """What `found` gives as soon as it gives something. Raises TimeoutError."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if value := found():
            return value
        time.sleep(every)
    raise TimeoutError(f"waited in vain for {what}")


@dataclass
class Site:
    """`has_own_homes` gives each host data homes of its own in place of one network folder; `patience` is for how many seconds nothing may be heard of a run, as declared
    where it is None."""

    folder: Path
    network: Network
    count: int
    scale: float
    has_own_homes: bool = True
    patience: int | None = None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    _workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def a(self) -> Host:
        return self.network.hosts["a"]

    @property
    def storage(self) -> Host:
        return self.network.hosts["s"]

    @property
    def cities(self) -> list[str]:
        return [f"demo{number:02}" for number in range(1, self.count + 1)]

    def home_of(self, host: str) -> Path:
        """Where the data homes of a host's runs lie."""
        return self.folder / "srv" / (f"data-{host}" if self.has_own_homes else "data")

    def common(self, host: str) -> Environment:
        """`/etc/nianbao.env` of a host."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NIANBAO_", "PREFECT_"))}
        local = self.folder / "local" / host
        local.mkdir(parents=True, exist_ok=True)
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "NIANBAO_CODE": str(CODE),
            "NIANBAO_CITIES": str(self.folder / "srv" / "cities"),
            "NIANBAO_HOME": f"{self.home_of(host)}/{{city}}",
            "NIANBAO_CATALOG": f"postgresql://nianbao:{self.password}@{self.a.address}/nianbao_{{city}}",
            "NIANBAO_STORAGE": f"s3://{BUCKET}/{{city}}",
            "NIANBAO_STORAGE_ENDPOINT": f"http://{self.storage.address}:{STORAGE}",
            "NIANBAO_STORAGE_KEY": "key",
            "NIANBAO_STORAGE_SECRET": "secret",
            "NIANBAO_TEMPORARY": f"{local}/temporary/{{city}}",
            "PREFECT_HOME": str(local / "prefect"),
            "PREFECT_LOGGING_LEVEL": "INFO",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    def of_server(self) -> Environment:
        """That of host `a`, with what only the server needs."""
        broker = f"redis://{self.a.address}:{REDIS}"
        database = f"nianbao:{self.password}@{self.a.address}:{DATABASE}/prefect"
        return {
            **self.common("a"),
            "NIANBAO_CITY": PROVINCE,
            "NIANBAO_PORT": str(PAGE),
            "PYTHONPATH": str(self.folder / "redis"),
            "PREFECT_API_URL": f"http://127.0.0.1:{PAGE}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{database}",
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_REDIS_MESSAGING_URL": f"{broker}/0",
            "PREFECT_SERVER_DOCKET_URL": f"{broker}/1",
        }

    def of_worker(self, host: str) -> Environment:
        """That of a worker's host, known to the server by the token of host `a`."""
        return {
            **self.common(host),
            "PREFECT_API_URL": f"{self.door}/api",
            "PREFECT_API_SSL_CERT_FILE": str(self.authority),
            **self.token,
        }

    @property
    def door(self) -> str:
        return f"https://{self.a.address}:{DOOR}"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @cached_property
    def token(self) -> Environment:
        name, _, value = (self.home_of("a") / PROVINCE / "machine.env").read_text().partition("=")
        return {name: value.strip().strip("'")}

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.authority)
        session.headers.update(json.loads(next(iter(self.token.values()))))
        return session

    def ask(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """An answer of the server's interface, through the workers' door."""
        asked = method or ("GET" if body is None else "POST")
        given = self._session.request(asked, f"{self.door}/api{path}", json=body, timeout=60)
        given.raise_for_status()
        return given.json() if given.content else None

    def nianbao(self, *given: str, host: str = "a", code: int | None = 0) -> str:
        """What a command on a host printed."""
        done = self.network.hosts[host].run([NIANBAO, *given], self.of_command(host), CODE)
        if code is not None and done.returncode != code:
            raise RuntimeError(
                f"{given}: {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}"
            )
        return done.stdout

    def of_command(self, host: str) -> Environment:
        return self.of_server() if host == "a" else self.of_worker(host)

    # Services

    def begin_database(self) -> None:
        """PostgreSQL with a database a city, one for the province and one for Prefect's server; made
        where it is not there yet."""
        found = programs()
        assert found is not None, "PostgreSQL is not installed"
        data, secret = self.folder / "postgres", self.folder / "postgres-password"
        is_new = not (data / "PG_VERSION").exists()
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        as_owner: list[str] = []
        if owner is not None:
            as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}"]
            as_owner.append("--clear-groups")
        if is_new:
            data.mkdir()
            secret.write_text(self.password, encoding="utf-8")
            if owner is not None:
                os.chown(data, owner.pw_uid, owner.pw_gid)
                os.chown(secret, owner.pw_uid, owner.pw_gid)
            subprocess.run(
                [
                    *(*as_owner, str(found / "initdb"), "-D", str(data), "-U", "postgres"),
                    *("-E", "UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"),
                ],
                cwd=self.folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            with (data / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet scram-sha-256\n")
        self.password = secret.read_text(encoding="utf-8")
        settings = {
            "listen_addresses": self.a.address,
            "port": str(DATABASE),
            "unix_socket_directories": "",
            "max_connections": "400",
        }
        command = [*as_owner, str(found / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.database = self.a.begin("postgres", command, {**os.environ}, self.folder)
        wait_for("PostgreSQL", lambda: self._sql("SELECT 1", check=False))
        if is_new:
            self._sql(f"CREATE ROLE nianbao LOGIN PASSWORD '{self.password}'")
            for setting in ("lc_messages = 'C'", "tcp_keepalives_idle = 30"):
                self._sql(f"ALTER ROLE nianbao SET {setting}")
        there = self._sql("SELECT datname FROM pg_database").split()
        for name in ("prefect", *(f"nianbao_{city}" for city in (*self.cities, PROVINCE))):
            if name not in there:
                self._sql(f'CREATE DATABASE "{name}" OWNER nianbao')

    def _sql(self, statement: str, *, database: str = "postgres", check: bool = True) -> str:
        done = subprocess.run(
            ["psql", "-h", self.a.address, "-U", "postgres", "-d", database, "-Atc", statement],
            env={**os.environ, "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def sql(self, statement: str, database: str) -> list[list[str]]:
        """Rows of a database, as text."""
        told = self._sql(statement, database=database)
        return [line.split("|") for line in told.splitlines()]

    def begin_services(self) -> None:
        """All but the workers."""
        self.folder.chmod(0o755)
        self.begin_database()
        self.a.begin(
            "redis",
            [
                *("redis-server", "--bind", self.a.address, "--port", str(REDIS)),
                *("--save", "", "--protected-mode", "no", "--dir", self.folder),
            ],
            {**os.environ},
            self.folder,
        )
        self.storage.begin(
            "storage",
            [sys.executable, "-m", "moto.server", "-H", self.storage.address, "-p", str(STORAGE)],
            {**os.environ},
            self.folder,
        )
        address = f"http://{self.storage.address}:{STORAGE}/{BUCKET}"
        wait_for("the object storage", lambda: _answers(address, requests.put))
        self._begin_cities()
        self._begin_server()
        self.begin_door()

    def _begin_cities(self) -> None:
        """The systems of the cities, outside of all hosts; folders and data made where not there."""
        environment = {
            **self.common("a"),
            "NIANBAO_CATALOG": "",
            "NIANBAO_STORAGE": "",
        }
        Path(environment["NIANBAO_CITIES"]).mkdir(parents=True, exist_ok=True)
        log = self.folder / "logs" / "cities.log"
        with log.open("wb") as out:
            self.systems = subprocess.Popen(
                [
                    *(NIANBAO, "demo-cities", str(self.count)),
                    *("--scale", str(self.scale), "--host", self.network.address),
                ],
                cwd=CODE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("the cities", lambda: "已启动" in log.read_text(encoding="utf-8"), 1200)
        if self.has_own_homes:
            self._hand_out(environment["NIANBAO_HOME"])

    def _hand_out(self, pattern: str) -> None:
        """The secrets of the cities' systems to the workers, as one would write them there."""
        for city in self.cities:
            secret = Path(pattern.replace("{city}", city)) / f"{city}.env"
            for host in self.network.hosts:
                place = self.home_of(host) / city / secret.name
                place.parent.mkdir(parents=True, exist_ok=True)
                if place != secret:
                    shutil.copy(secret, place)

    def _begin_server(self) -> None:
        if not (self.folder / "srv" / "cities" / PROVINCE).exists():
            self.nianbao(
                *("city", "new", PROVINCE, "--title", "某省人民政府", "--code", "990000"),
                "--province",
            )
        given = [] if self.patience is None else ["-c", SERVER, str(self.patience)]
        self.server = self.a.begin(
            "server",
            [sys.executable, *(given or ["-m", "deployments.server"])],
            self.of_server(),
            CODE,
        )

    def begin_door(self) -> None:
        """nginx with the block of docs/scale.md."""
        folder = self.folder / "door"
        folder.mkdir(exist_ok=True)
        made, private = certificate(folder, self.a.address)
        shutil.copy(made, self.authority)
        block = re.search(r"^    # nginx\n((?:    .*\n)+)", DOCS.read_text(encoding="utf-8"), re.M)
        assert block is not None
        written = (
            dedent(block[1])
            .replace("10.0.0.1", self.a.address)
            .replace("10.0.0.0/24", f"{self.a.address.rpartition('.')[0]}.0/24")
            .replace("/etc/nianbao/door.pem", str(made))
            .replace("/etc/nianbao/door.key", str(private))
        )
        self.a.begin("door", nginx_command(folder, written), {**os.environ}, folder)
        wait_for("the server", lambda: self.server.poll() is not None or self._is_up(), 240)
        if self.server.poll() is not None:
            raise RuntimeError((self.a.logs / "server-a.log").read_text()[-2000:])

    def _is_up(self) -> bool:
        path = self.home_of("a") / PROVINCE / "machine.env"
        return path.exists() and _answers(f"{self.door}/api/health", self._session.get)

    def deploy(self) -> float:
        """The deployments of all cities, by the commands that are printed; how long they took."""
        began = time.monotonic()
        file = self.folder / "cities.yaml"
        told = self.nianbao("city", "deployments", str(file))
        environment = {**self.of_server(), **self.token}
        for command in re.findall(r"^  (prefect .*)$", told, re.M):
            done = self.a.run(["sh", "-c", command], environment, CODE)
            if done.returncode and "already exists" not in done.stdout + done.stderr:
                raise RuntimeError(f"{command}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        elapsed = time.monotonic() - began
        self._stop_schedules()
        return elapsed

    def _stop_schedules(self) -> None:
        """Runs are begun by the trials alone, whatever the hour."""
        for deployment in self.deployments.values():
            for schedule in self.ask(f"/deployments/{deployment}/schedules"):
                path = f"/deployments/{deployment}/schedules/{schedule['id']}"
                self.ask(path, {"active": False}, method="PATCH")

    # Workers and runs

    def begin_worker(self, host: str, limit: int, *, is_of_pages: bool = False) -> None:
        """A worker; of the pages, it works with the data homes of host `a`."""
        queues = ["pages"] if is_of_pages else ["waited-for", "night", "backfill"]
        environment = self.of_worker(host)
        if is_of_pages:
            environment["NIANBAO_HOME"] = self.common("a")["NIANBAO_HOME"]
        self._workers[host] = self.network.hosts[host].begin(
            "worker",
            [
                *("prefect", "worker", "start", "--pool", "nianbao", "--type", "process"),
                *("--limit", str(limit), "--name", host),
                *(given for queue in queues for given in ("--work-queue", queue)),
            ],
            environment,
            CODE,
        )

    def kill_worker(self, host: str) -> None:
        """End all that runs on a worker's host at once."""
        self.network.hosts[host].kill()
        self._workers.pop(host)

    def stop_worker(self, host: str) -> None:
        self.network.hosts[host].stop(self._workers.pop(host))

    @cached_property
    def deployments(self) -> Mapping[str, str]:
        """Ids by name."""
        found: dict[str, str] = {}
        while True:
            page = self.ask("/deployments/filter", {"limit": 200, "offset": len(found)})
            found |= {one["name"]: one["id"] for one in page}
            if len(page) < 200:
                return found

    def start(self, name: str, **parameters: Any) -> str:
        """A run of a deployment; returns its id."""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"/deployments/{self.deployments[name]}/create_flow_run", body)["id"])

    def runs(self, name: str) -> list[dict[str, Any]]:
        """A deployment's runs that are not merely planned, the newest last."""
        body = {
            "deployments": {"id": {"any_": [self.deployments[name]]}},
            "flow_runs": {"start_time": {"is_null_": False}},
            "sort": "START_TIME_ASC",
            "limit": 200,
        }
        return list(self.ask("/flow_runs/filter", body))

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/flow_runs/{run_id}")
        return found

    def until_ended(self, runs: Sequence[str], timeout: float = 3600) -> list[dict[str, Any]]:
        """Runs in their final states."""
        left, found = [*runs], {}

        def all_ended() -> bool:
            for one in [*left]:
                told = self.run(one)
                if told["state_type"] in ENDED:
                    found[one] = told
                    left.remove(one)
            return not left

        wait_for("the end of all runs", all_ended, timeout, every=2)
        return [found[one] for one in runs]


def _answers(address: str, ask: Callable[..., requests.Response]) -> bool:
    try:
        return ask(address, timeout=5).ok
    except requests.RequestException:
        return False


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """The site with all its services; the network ends what runs on its hosts."""
    (site.folder / "logs").mkdir(parents=True, exist_ok=True)
    with_redis(site.folder / "redis")
    try:
        site.begin_services()
        yield site
    finally:
        systems = getattr(site, "systems", None)
        if systems is not None and systems.poll() is None:
            systems.terminate()
            systems.wait(30)
        for host in site.network.hosts.values():
            host.kill()


def with_redis(folder: Path) -> None:
    """What the lock file for several servers names beyond that of one, where Python finds it."""
    locks = [
        re.findall(
            r"^(\S+==\S+) \\\n((?:    .*\n)+)", (CODE / "requirements" / f).read_text(), re.M
        )
        for f in ("redis.lock", "runtime.lock")
    ]
    known = {name for name, _ in locks[1]}
    more = [f"{name} \\\n{rest}" for name, rest in locks[0] if name not in known]
    if folder.exists():
        return
    wanted = folder.with_suffix(".txt")
    wanted.write_text("".join(more), encoding="utf-8")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--target", str(folder), "-r", str(wanted)),
        ],
        check=True,
    )
