"""Monthly registers of applications as townships without a system send them in.

They look as such files do: a title, a two-level merged header, blank lines, a total row,
dates in whatever form the clerk likes, full-width digits, numbers as text. The bytes are the
same for the same seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import xlsxwriter

from deployments.demo_city.service.applications import Application
from deployments.demo_city.service.filed import OUTCOMES
from deployments.demo_city.service.moments import YEARS, iso, office_hours
from deployments.demo_city.service.organs import Organ
from deployments.demo_city.service.personal import People

CHANNEL_TEXTS = {"1": "当面", "2": "信函", "3": "网络", "4": "传真", "9": "其他"}
KIND_TEXTS = {
    "10": "自然人",
    "21": "商业企业",
    "22": "科研机构",
    "23": "社会公益组织",
    "24": "法律服务机构",
    "29": "其他",
    "": "",
}
_TEXTS = (
    "予以公开", "部分公开", "属于国家秘密", "其他法律行政法规禁止公开", "危及“三安全一稳定”",
    "保护第三方合法权益", "属于三类内部事务信息", "属于四类过程性信息", "属于行政执法案卷",
    "属于行政查询事项", "本机关不掌握相关政府信息", "没有现成信息需要另行制作",
    "补正后申请内容仍不明确", "信访举报投诉类申请", "重复申请", "要求提供公开出版物",
    "无正当理由大量反复申请", "要求行政机关确认或重新出具已获取信息", "申请人逾期不补正",
    "申请人逾期未缴费", "其他处理",
)  # fmt: skip
OUTCOME_TEXTS = dict(zip(OUTCOMES, _TEXTS, strict=True))

_FULL_WIDTH = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
_GROUPS = (
    ("序号", ()),
    ("登记编号", ()),
    ("收到日期", ()),
    ("收到方式", ()),
    ("申请人", ("姓名或名称", "类别", "证件号码", "联系电话")),
    ("申请内容", ()),
    ("期限", ("补正日期", "延期日期", "征求意见工作日", "答复期限")),
    ("办理情况", ("办结日期", "办理结果")),
    ("备注", ()),
)
_HEADER_ROW = 3
_DATE_FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.year}-{d.month}-{d.day}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.year}.{d.month}.{d.day}",
    lambda d: f"{d.year}年{d.month}月{d.day}日",
    lambda d: f"{d.year}年{d.month}月{d.day}日".translate(_FULL_WIDTH),
)


class _Register:
    """One township's workbook of one month."""

    def __init__(self, path: Path, rng: Random, people: People, organ: Organ, month: date) -> None:
        self._rng, self._people, self._organ, self._month = rng, people, organ, month
        self._book = xlsxwriter.Workbook(str(path), {"in_memory": True})
        self._book.set_properties({"created": datetime(2019, 1, 1), "author": people.anyone().name})
        self._sheet = self._book.add_worksheet("登记表")
        self._centre = self._book.add_format({"align": "center", "valign": "vcenter", "border": 1})
        self._title = self._book.add_format({"align": "center", "bold": True, "font_size": 16})
        self._date = self._book.add_format({"num_format": "yyyy-m-d", "border": 1})

    def write(self, applications: list[Application], filled_on: date) -> None:
        month, sheet = self._month, self._sheet
        width = sum(max(1, len(members)) for _, members in _GROUPS)
        title = f"{self._organ.name}政府信息公开申请登记表({month.year}年{month.month}月)"
        sheet.merge_range(0, 0, 0, width - 1, title, self._title)
        sheet.write(1, 0, f"填报单位:{self._organ.name}")
        sheet.write(1, width - 4, f"填报日期:{_DATE_FORMS[3](filled_on)}")
        self._header()
        row = _HEADER_ROW + 2
        if not applications:
            sheet.write(row, 1, "本月无")
            row += 1
        for number, application in enumerate(applications, start=1):
            self._line(row, number, application)
            row += 2 if self._rng.random() < 0.15 else 1
        sheet.write(row, 0, "合计", self._centre)
        count = len(applications)
        sheet.write(row, 1, str(count).translate(_FULL_WIDTH) if count % 2 else count, self._centre)
        sheet.write(row + 1, 0, f"填表人:{self._people.anyone().name} 注:本表每月5日前报送。")
        self._book.close()

    def _header(self) -> None:
        column = 0
        for name, members in _GROUPS:
            if not members:
                self._sheet.merge_range(
                    _HEADER_ROW, column, _HEADER_ROW + 1, column, name, self._centre
                )
                column += 1
                continue
            last = column + len(members) - 1
            self._sheet.merge_range(_HEADER_ROW, column, _HEADER_ROW, last, name, self._centre)
            for member in members:
                self._sheet.write(_HEADER_ROW + 1, column, member, self._centre)
                column += 1

    def _line(self, row: int, number: int, a: Application) -> None:
        person = self._people.anyone()
        organization = a.applicant_kind.startswith("2")
        values: list[Any] = [
            number if self._rng.random() < 0.7 else str(number).translate(_FULL_WIDTH),
            a.registered_number,
            a.received,
            CHANNEL_TEXTS[a.channel],
            self._people.company() if organization else person.name,
            KIND_TEXTS[a.applicant_kind],
            person.identity,
            person.phone,
            self._people.text(),
            a.corrected,
            a.extended,
            str(a.consultation_days) if a.consultation_days else None,
            a.due,
            a.closed,
            OUTCOME_TEXTS[a.outcome] if a.outcome else None,
            self._people.text() if self._rng.random() < 0.2 else None,
        ]
        for column, value in enumerate(values):
            if isinstance(value, date):
                self._day(row, column, value)
            elif value is not None:
                self._sheet.write(row, column, value, self._centre)

    def _day(self, row: int, column: int, day: date) -> None:
        form = self._rng.randrange(len(_DATE_FORMS) + 2)
        if form >= len(_DATE_FORMS):
            moment = datetime(day.year, day.month, day.day)
            self._sheet.write_datetime(row, column, moment, self._date)
        else:
            self._sheet.write_string(row, column, _DATE_FORMS[form](day), self._centre)


def write_workbooks(
    folder: Path,
    rng: Random,
    people: People,
    organs: list[Organ],
    applications: list[Application],
    with_empty: bool = True,
) -> None:
    """Write each township's workbooks and the folder's listing (`listing.json`).

    Without `with_empty` only the first township sends in workbooks of months without any.
    """
    folder.mkdir(parents=True)
    months: dict[tuple[str, int, int], list[Application]] = {}
    for a in applications:
        months.setdefault((a.organ.organ_id, a.received.year, a.received.month), []).append(a)
    listing = []
    for organ in organs:
        for year in YEARS:
            for number in range(1, 13):
                month = date(year, number, 1)
                entered = months.get((organ.organ_id, year, number), [])
                if not (entered or with_empty or organ is organs[0]):
                    continue
                filled_on = (month + timedelta(days=32)).replace(day=rng.randint(3, 5))
                closings = (a.closed + timedelta(days=1) for a in entered if a.closed)
                modified = office_hours(rng, max([filled_on, *closings]))
                path = folder / f"{organ.organ_id}-{year}-{number:02d}.xlsx"
                _Register(path, rng, people, organ, month).write(entered, filled_on)
                content = path.read_bytes()
                listing.append(
                    {
                        "name": path.name,
                        "unitCode": organ.ledger_code,
                        "month": f"{year}-{number:02d}",
                        "size": len(content),
                        "modified": iso(modified),
                        "sha256": hashlib.sha256(content).hexdigest(),
                    }
                )
    listing.sort(key=lambda entry: (str(entry["modified"]), str(entry["name"])))
    (folder / "listing.json").write_bytes(msgspec.json.encode(listing))
