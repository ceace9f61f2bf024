"""Who may publish: approvers, their one-time codes (TOTP), and the second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.clock import BEIJING
from tasks.settings import Settings
from warehouse.errors import EntryError
from warehouse.lake import Lake, transaction

STEP_SECONDS = 30
WINDOW_STEPS = 1
"""How many steps a clock may be off, either way."""
MOST_WRONG = 5
LOCKED_FOR = timedelta(minutes=15)


class ApprovalRefused(EntryError):
    """The approver cannot publish; the message says what to do."""


@dataclass(frozen=True)
class Approvers:
    """Names and TOTP secrets; nobody configured means that no code is asked for."""

    secrets: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        return list(self.secrets)


def approvers(settings: Settings) -> Approvers:
    """The approvers of `NIANBAO_APPROVERS` (name:BASE32,name:BASE32).

    Raises ApprovalRefused when an entry is malformed; the message shows no secret.
    """
    import pyotp

    found: dict[str, str] = {}
    entries = settings.approvers.get_secret_value().replace("\n", ",").split(",")
    for position, entry in enumerate(filter(None, map(str.strip, entries)), start=1):
        name, _, secret = entry.replace("\uff1a", ":").partition(":")
        try:
            pyotp.TOTP(secret.strip()).now()
            usable = bool(name.strip() and secret.strip())
        except Exception:
            usable = False
        if not usable:
            raise ApprovalRefused(
                f"NIANBAO_APPROVERS 第 {position} 项写法有误:应为 姓名:密钥,密钥为至少 26 位的 BASE32 文字"
            )
        found[name.strip()] = secret.strip()
    return Approvers(found)


def check_builder(settings: Settings, built_by: str) -> None:
    """Raises ApprovalRefused for a builder whose edition nobody could approve: the name stays
    with the edition, however often it is built again."""
    if not settings.two_persons:
        return
    if not built_by:
        raise ApprovalRefused("请填写编制人:本单位要求编制与批准由两人分别进行")
    if approvers(settings).names == [built_by]:
        raise ApprovalRefused(
            f"{built_by}是唯一的批准人,不能同时是编制人,否则无人可以批准。请填实际编制的人"
        )


def check_two_persons(settings: Settings, approver: str, built_by: str) -> None:
    """Raises ApprovalRefused where two persons are required and there is one."""
    if not settings.two_persons:
        return
    if not built_by:
        raise ApprovalRefused(
            "本单位要求编制与批准由两人分别进行,而这一版次没有写明编制人。请重新编制并填写“编制人”"
        )
    if built_by == approver:
        raise ApprovalRefused(f"{approver}是这一版次的编制人,不能同时批准。请由另一人批准")


def check_code(
    lake: Lake, known: Approvers, approver: str, code: str, edition_id: str, *, now: datetime
) -> None:
    """Verify an approver's one-time code and use it up. Raises ApprovalRefused.

    Every attempt is kept in ops.approval_attempt: a code serves once, and five wrong ones
    lock the approver out for a quarter of an hour.
    """
    if not known.secrets:
        return
    if approver not in known.secrets:
        raise ApprovalRefused(
            f"“{approver}”不在批准人名单中。请选择:{'、'.join(known.names)}"
            "(名单由管理员在 NIANBAO_APPROVERS 中设置)"
        )
    code = "".join(code.split())
    if not code:
        raise ApprovalRefused("请填写批准人手机上验证器当前显示的六位验证码")
    step = _step_of(known.secrets[approver], code, now)
    with lake.write() as connection, transaction(connection):
        row = connection.execute(
            "SELECT count(*) FILTER (attempt_status = 'wrong' AND tried_at > $2), "
            "max(code_step) FILTER (attempt_status = 'accepted') "
            "FROM ops.approval_attempt WHERE approver = $1",
            [approver, now - LOCKED_FOR],
        ).fetchone()
        wrong, last_step = row or (0, None)
        if wrong >= MOST_WRONG or step is None:
            status = "wrong"
        else:
            status = "reused" if last_step is not None and step <= last_step else "accepted"
        connection.execute(
            "INSERT INTO ops.approval_attempt VALUES (?, ?, ?, ?, ?)",
            [approver, edition_id, status, step if status != "wrong" else None, now],
        )
    if wrong >= MOST_WRONG:
        minutes = int(LOCKED_FOR.total_seconds() // 60)
        raise ApprovalRefused(f"验证码已连续错误 {MOST_WRONG} 次,请等 {minutes} 分钟后再试")
    if status == "wrong":
        raise ApprovalRefused("验证码不对或已过期。请填写验证器当前显示的六位数字,并核对手机时间")
    if status == "reused":
        raise ApprovalRefused("这个验证码已经用过。请等验证器显示下一个后再填")


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the window; None for a wrong code."""
    import hmac

    import pyotp

    current = int(now.replace(tzinfo=BEIJING).timestamp()) // STEP_SECONDS
    generator = pyotp.TOTP(secret)
    for step in range(current - WINDOW_STEPS, current + WINDOW_STEPS + 1):
        if hmac.compare_digest(generator.at(step * STEP_SECONDS), code):
            return step
    return None
