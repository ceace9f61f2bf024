"""Who works here, as the page shows it, and whether there are enough for what needs two."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from tasks.desk.sources import State
from tasks.people.office import Office
from tasks.people.persons import (
    APPROVES,
    MANAGES,
    VIEWS,
    WORKS,
    Person,
    PersonError,
    add_person,
    kept_authenticator,
    lock_person,
    new_authenticator,
    person_named,
    persons,
)
from tasks.people.sessions import SIGN_IN

ROLE_MAY = {
    VIEWS: "看全部，打印，下载",
    WORKS: "另可编制、转交、答复、登记和复核更正、取数与退回再试",
    APPROVES: "另可批准、退回",
    MANAGES: "另可管理人员、取数与退回再试；不能批准",
}
"""What each role may do, beside what everyone may."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of passwords that people copy from a screen: none that looks like another."""
_GROUPS = 4


@dataclass(frozen=True)
class Entry:
    """A person in the list. `last_in` is when they last signed in, None for never."""

    person: Person
    last_in: datetime | None
    has_used_codes: bool

    @property
    def state(self) -> State:
        if self.person.is_locked:
            return "broken"
        return "done" if self.has_used_codes else "turn"

    @property
    def word(self) -> str:
        if self.person.is_locked:
            return "已停用"
        return "可用" if self.has_used_codes else "还没有登录过"


@dataclass(frozen=True)
class Shortage:
    """Too few of a role: what then cannot be done, and what to do about it."""

    state: State
    title: str
    told: str


@dataclass(frozen=True)
class Staffing:
    """Everyone, and what there are too few of."""

    entries: tuple[Entry, ...]
    shortages: tuple[Shortage, ...]

    def ready(self, role: str) -> tuple[str, ...]:
        """Names of those of a role who may sign in and have done so."""
        return tuple(e.person.name for e in self._of(role) if e.has_used_codes)

    def named(self, role: str) -> tuple[str, ...]:
        """Names of those of a role who may sign in."""
        return tuple(e.person.name for e in self._of(role))

    def _of(self, role: str) -> list[Entry]:
        return [e for e in self.entries if e.person.role == role and not e.person.is_locked]


def staffing(office: Office) -> Staffing:
    """Everyone of a register, and whether they are enough. Raises OfficeError."""
    with office.read() as connection:
        used = {row["person"] for row in connection.execute("SELECT person FROM code_used")}
        last = {
            row["person"]: datetime.fromisoformat(row["at"])
            for row in connection.execute(
                "SELECT person, max(done_at) AS at FROM log WHERE act = ? GROUP BY person",
                [SIGN_IN],
            )
        }
    entries = tuple(
        Entry(p, last.get(p.name), p.name in used)
        for p in sorted(persons(office), key=lambda p: (p.is_locked, p.name))
    )
    return Staffing(entries, tuple(_shortages(Staffing(entries, ()))) if entries else ())


def _shortages(of: Staffing) -> list[Shortage]:
    found = []
    approvers = of.ready(APPROVES)
    not_ready = [name for name in of.named(APPROVES) if name not in approvers]
    help_ = (
        f"请{'、'.join(not_ready)}绑定验证器并登录一次。" if not_ready else "请再添加一位批准人。"
    )
    if not approvers:
        found.append(Shortage("broken", "没有人能批准", f"版次编成以后不能发布。{help_}"))
    elif len(approvers) == 1:
        told = f"{approvers[0]}不在时没有人能批准。{help_}"
        found.append(Shortage("turn", "能批准的只有 1 人", told))
    workers = of.named(WORKS)
    if len(workers) == 1:
        told = f"更正须由两个人登记和复核，{workers[0]}不能复核自己登记的。请再添加一位经办人。"
        found.append(Shortage("turn", "能经办的只有 1 人", told))
    if not of.named(MANAGES):
        told = "添加、停用人员只能在服务器上用 nianbao user 命令。"
        found.append(Shortage("turn", "没有管理员", told))
    return found


# ---- changing who works here


@dataclass(frozen=True)
class Given:
    """What a person gets, shown once: a password; the authenticator's secret where it is new."""

    name: str
    role: str
    password: str
    authenticator: str

    @property
    def address(self) -> str:
        """As authenticators read it; empty where the old one goes on."""
        if not self.authenticator:
            return ""
        return (
            f"otpauth://totp/nianbao:{quote(self.name)}?secret={self.authenticator}&issuer=nianbao"
        )


def add(office: Office, name: str, role: str, *, by: str, now: datetime) -> Given:
    """Add somebody with a password and an authenticator made here. Raises PersonError."""
    name = name.strip()
    _check_is_no_approver(office, name, role)
    if any(p.name == name for p in persons(office)):
        raise PersonError(f"已有人员“{name}”。要改角色、重设口令或恢复，请在列表中点“重设”")
    return _give(office, name, role, new_authenticator(), is_new=True, by=by, now=now)


def reset(
    office: Office, name: str, role: str, *, with_authenticator: bool, by: str, now: datetime
) -> Given:
    """Give somebody a role and a new password, and a new authenticator if asked; whoever was
    locked may sign in again. Raises PersonError."""
    kept = kept_authenticator(office, name)
    if not kept:
        raise PersonError(f"没有人员“{name}”")
    _check_is_no_approver(office, name, role)
    if name == by and role != MANAGES:
        raise PersonError("您不能取消自己的管理角色。请由另一位管理员来做")
    secret = new_authenticator() if with_authenticator else kept
    return _give(office, name, role, secret, is_new=with_authenticator, by=by, now=now)


def _check_is_no_approver(office: Office, name: str, role: str) -> None:
    """Whoever sees an approver's password and secret can sign as them: that is no manager's to
    see. Raises PersonError."""
    if role == APPROVES or any(p.name == name and p.role == APPROVES for p in persons(office)):
        raise PersonError(
            "批准人只能在服务器上添加和重设:nianbao user add 姓名 --role 批准。"
            "谁看到批准人的口令和密钥,就能替他签署,所以页面上不办"
        )


def _give(
    office: Office, name: str, role: str, secret: str, *, is_new: bool, by: str, now: datetime
) -> Given:
    password = made_password()
    add_person(office, name, role, password, secret, by=by, now=now)
    return Given(name, role, password, secret if is_new else "")


def lock(office: Office, name: str, *, by: str, now: datetime) -> None:
    """Lock somebody else out. Raises PersonError."""
    if name == by:
        raise PersonError("您不能停用自己。请由另一位管理员来做")
    found = person_named(office, name)
    if found is None and any(p.name == name for p in persons(office)):
        raise PersonError(f"{name}已经停用")
    lock_person(office, name, by=by, now=now)


def made_password() -> str:
    """A password to be copied once: four groups of four letters."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
