"""Who may approve: the persons with that role, or those whom a setting names; two persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tasks.editions.store import publications
from tasks.people import attempts, log
from tasks.people.codes import judge
from tasks.people.office import NAME as OFFICE
from tasks.people.office import Office, OfficeError
from tasks.people.persons import authenticators, has_persons
from tasks.publish.signature import KEY, PUBLIC_KEY
from tasks.settings import Settings
from warehouse.errors import EntryError
from warehouse.lake import Lake

APPROVAL = "批准"
PUBLISHED = "发布"


class ApprovalRefused(EntryError):
    """The approver cannot publish; the message says what to do."""


@dataclass(frozen=True)
class Approvers:
    """Names and TOTP secrets. Where nobody is configured at all, no code is asked for."""

    secrets: Mapping[str, str]
    has_persons: bool = False

    @property
    def names(self) -> list[str]:
        return list(self.secrets)

    @property
    def is_anyone(self) -> bool:
        """Whether any name may approve: nobody was configured, as in the demo."""
        return not self.secrets and not self.has_persons


def approvers(settings: Settings) -> Approvers:
    """The persons who may approve; without persons, those of `NIANBAO_APPROVERS`
    (name:BASE32,name:BASE32).

    Raises ApprovalRefused when an entry is malformed; the message shows no secret.
    """
    office = Office(settings.home)
    if has_persons(office):
        return Approvers(authenticators(office), has_persons=True)
    return Approvers(configured_approvers(settings))


def is_of_a_worker(settings: Settings) -> bool:
    """Whether this home is that of a worker only: editions are in common with other machines, and
    neither persons nor the signing key ever lay here. They are where the pages are."""
    kept = (OFFICE, KEY, PUBLIC_KEY)
    return settings.edition_shelf.is_shared and not any(
        (settings.home / name).exists() for name in kept
    )


def check_office_is_kept(lake: Lake, settings: Settings) -> None:
    """That a register of persons that was lost, or left out of a restore, opens nothing.

    Raises OfficeError where the lake holds signed publications, which somebody approved, and
    the register knows neither an approval nor a person.
    """
    office = Office(settings.home)
    if office.approvals() or has_persons(office) or not lake.exists():
        return
    with lake.read() as connection:
        signed = [p.edition_id for p in publications(connection) if p.is_signed]
    if signed and is_of_a_worker(settings):
        raise OfficeError(
            f"数据目录 {settings.home} 没有人员登记库与签名密钥({OFFICE}、{KEY}):批准与发布只能在"
            "操作页面所在的机器上进行。没有改动任何东西,请在那台机器上重新运行"
        )
    if signed:
        raise OfficeError(
            f"已有批准发布的版次({'、'.join(signed[:3])}{'等' if len(signed) > 3 else ''}),"
            f"人员登记库 {office.path} 却不在了或是空的,谁都可以冒名操作。请从备份恢复这个文件;"
            "没有备份的,请先运行 nianbao user add 姓名 --role 批准 重新登记人员"
        )


def configured_approvers(settings: Settings) -> dict[str, str]:
    """The approvers of `NIANBAO_APPROVERS`. Raises ApprovalRefused."""
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
    return found


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


def check_is_approver(known: Approvers, approver: str) -> None:
    """Raises ApprovalRefused for someone who may not approve."""
    if not approver:
        raise ApprovalRefused("请填写批准人姓名")
    if known.is_anyone or approver in known.secrets:
        return
    if not known.secrets:
        raise ApprovalRefused(
            "还没有批准人。请管理员在服务器上运行 nianbao user add 姓名 --role 批准"
        )
    where = "人员中" if known.has_persons else "批准人名单(NIANBAO_APPROVERS)中"
    raise ApprovalRefused(
        f"“{approver}”没有批准的权限。{where}可以批准的是:{'、'.join(known.names)}"
    )


def check_code(
    office: Office, known: Approvers, approver: str, code: str, *, tried_by: str, now: datetime
) -> None:
    """Judge an approver's one-time code as of `now`, the moment it was entered, and use it up.

    A right code is used up whatever follows. Five wrong ones lock the one who tried them for a
    quarter of an hour, and nobody else. Raises ApprovalRefused, TooManyTries.
    """
    check_is_approver(known, approver)
    if known.is_anyone:
        return
    if not code.strip():
        raise ApprovalRefused("请填写批准人手机上验证器当前显示的六位验证码")
    with office.change() as connection:
        wait = attempts.wait_of(connection, tried_by, APPROVAL, now, slows=False)
        verdict = judge(connection, approver, known.secrets[approver], code, now=now)
        if verdict == "accepted" and not wait:
            attempts.tried_rightly(connection, tried_by, APPROVAL)
        elif verdict == "wrong" and not wait:
            attempts.tried_wrongly(connection, tried_by, APPROVAL, now)
        if wait or verdict != "accepted":
            log.write(connection, tried_by, "验证码未通过", approver, now=now)
    if wait:
        raise attempts.TooManyTries(wait)
    if verdict == "wrong":
        raise ApprovalRefused("验证码不对或已过期。请填写验证器当前显示的六位数字,并核对手机时间")
    if verdict == "reused":
        raise ApprovalRefused("这个验证码已经用过。请等验证器显示下一个后再填")
