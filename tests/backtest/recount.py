"""The statutory cells of the demo city, counted a second time by another hand.

Nothing of the project is imported: plain requests by the vendor's manual, rules written out
from 《政府信息公开条例》 and the layout notices 国办公开办函〔2019〕60号 and 〔2021〕30号, and loops. All that the
three tables count lies in the ledger and in the workbooks beside it; the other three systems
feed only the narrative. What is not counted (names, telephones, free text) is dropped with the
answer that carried it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import requests

Record = dict[str, Any]
Cells = dict[tuple[str, str, str], Decimal]
"""The value of a cell by organ, scope (`own` or `rolled_up`) and key."""

# What is read of each list: the dates that a rule looks at, the kind, the result, the quantity.
LISTS = {
    "applications": ("receivedDate", "closedDate", "result"),
    "reviews": ("kind", "acceptedDate", "closedDate", "result"),
    "documents": ("kind", "issuedDate", "disclosedDate", "abolishedDate"),
    "items": ("kind", "validFrom", "validTo"),
    "actions": ("kind", "decidedDate", "count"),
    "fees": ("kind", "chargedDate", "amount"),
    "procurements": ("signedDate", "amount"),
}
DATES = ("Date", "validFrom", "validTo")
"""How the names of fields that hold dates end."""
LEGAL_PERSONS = {
    "21": ("商业企业", "commercial_enterprise"),
    "22": ("科研机构", "research_institution"),
    "23": ("社会公益组织", "public_welfare_organization"),
    "24": ("法律服务机构", "legal_service_organization"),
    "29": ("其他", "other_organization"),
}
APPLICANTS = {"10": ("自然人", "natural_person"), **LEGAL_PERSONS}
RESULTS = {
    "01": ("予以公开", "granted"),
    "02": ("部分公开", "partially_granted"),
    "0301": ("属于国家秘密", "denied_state_secret"),
    "0302": ("其他法律行政法规禁止公开", "denied_law_prohibits"),
    "0303": ("危及“三安全一稳定”", "denied_safety_stability"),
    "0304": ("保护第三方合法权益", "denied_third_party_rights"),
    "0305": ("属于三类内部事务信息", "denied_internal_affairs"),
    "0306": ("属于四类过程性信息", "denied_process_information"),
    "0307": ("属于行政执法案卷", "denied_enforcement_file"),
    "0308": ("属于行政查询事项", "denied_administrative_query"),
    "0401": ("本机关不掌握相关政府信息", "unavailable_not_held"),
    "0402": ("没有现成信息需要另行制作", "unavailable_needs_creation"),
    "0403": ("补正后申请内容仍不明确", "unavailable_unclear"),
    "0501": ("信访举报投诉类申请", "unprocessed_petition"),
    "0502": ("重复申请", "unprocessed_repeat"),
    "0503": ("要求提供公开出版物", "unprocessed_publication"),
    "0504": ("无正当理由大量反复申请", "unprocessed_excessive"),
    "0505": ("要求行政机关确认或重新出具已获取信息", "unprocessed_reconfirm"),
    "0601": ("申请人逾期不补正", "other_correction_overdue"),
    "0602": ("申请人逾期未缴费", "other_fee_overdue"),
    "0603": ("其他处理", "other_misc"),
}
SUBTOTALS = {"03": "denied", "04": "unavailable", "05": "unprocessed", "06": "other"}
"""Not printed in the form, but quoted in the narrative: by the first two digits of a result."""
DOCUMENTS = {"GZ": "regulation", "GFXWJ": "normative_document"}
ACTIONS = {
    "XK": "administrative_license",
    "FW": "other_public_service",
    "CF": "administrative_penalty",
    "QZ": "administrative_coercion",
}
POWERS = {**ACTIONS, "SF": "administrative_fee"}
CASES = {
    "FY": "reconsideration",
    "SSZJ": "litigation_direct",
    "SSFY": "litigation_after_reconsideration",
}
CASE_RESULTS = {"WC": "upheld", "JZ": "corrected", "QT": "other"}


def day(written: Any) -> date | None:
    """A date as offices write it: 2020-03-05, 2020/3/5, 2020.3.5, 2020年3月5日, a cell of Excel."""
    found = re.match(
        r"(\d{4})\D(\d{1,2})\D(\d{1,2})", unicodedata.normalize("NFKC", str(written or ""))
    )
    return date(*map(int, found.groups())) if found else None


# Pulling


def get(environment: Mapping[str, str], address: str, **parameters: Any) -> requests.Response:
    """One answer of the ledger's server. Raises requests.HTTPError for any but a good one."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            address,
            params=parameters,
            auth=(environment["NIANBAO_LEDGER_USER"], environment["NIANBAO_LEDGER_PASSWORD"]),
            timeout=60,
        )
    answer.raise_for_status()
    return answer


def pull_list(environment: Mapping[str, str], name: str) -> Iterator[Record]:
    """A whole list of the ledger, page after page, without what was withdrawn."""
    address: str | None = f"{environment['NIANBAO_LEDGER_URL']}/{name}?per_page=1000"
    while address:
        answer = get(environment, address)
        for item in json.loads(answer.text, parse_float=Decimal)["data"]["items"]:
            if item["status"] == "withdrawn":
                continue
            record: Record = {field: item[field] for field in LISTS[name]}
            record["organ"] = item["organ"]["code"]
            if name == "applications":
                record["applicant"] = item["applicant"]["kind"]
            yield record
        address = answer.links.get("next", {}).get("url")


def pull_workbooks(environment: Mapping[str, str]) -> Iterator[Record]:
    """The applications of the townships that send workbooks, in the words of the ledger."""
    root = environment["NIANBAO_LEDGER_URL"] + "/workbooks/"
    applicants = {text: code for code, (text, _) in APPLICANTS.items()}
    results = {text: code for code, (text, _) in RESULTS.items()}
    for listed in get(environment, root).json()["files"]:
        book = openpyxl.load_workbook(io.BytesIO(get(environment, root + listed["name"]).content))
        rows = list(book["登记表"].iter_rows(values_only=True))
        head = next(number for number, row in enumerate(rows) if "登记编号" in row)
        column = {
            text: place
            for row in rows[head : head + 2]
            for place, text in enumerate(row)
            if text is not None
        }
        for row in rows[head + 2 :]:
            if day(row[column["收到日期"]]) is None:
                continue  # a blank line, 合计, 本月无 or the note
            applicant, result = row[column["类别"]], row[column["办理结果"]]
            yield {
                "organ": listed["unitCode"],
                "receivedDate": row[column["收到日期"]],
                "closedDate": row[column["办结日期"]],
                "applicant": applicants[applicant] if applicant else "",
                "result": results[result] if result else None,
            }


def pull(environment: Mapping[str, str]) -> dict[str, list[Record]]:
    """All that the three tables count, by list; dates read."""
    lists = {name: list(pull_list(environment, name)) for name in LISTS}
    lists["applications"] += pull_workbooks(environment)
    for records in lists.values():
        for record in records:
            record.update({f: day(v) for f, v in record.items() if f.endswith(DATES)})
    return lists


# Organs


@dataclass(frozen=True)
class Tree:
    """The organs that existed in a year, each under its parent when the year, or it, ended."""

    parents: Mapping[str, str]
    successors: Mapping[str, str]
    codes: Mapping[str, str]

    @classmethod
    def of(cls, organs: Path, year: int) -> Tree:
        """From the city's organs.csv."""
        with organs.open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["valid_from"])
        begun = [row for row in rows if row["valid_from"] <= f"{year}-12-31"]
        last = {row["organ_id"]: row for row in begun}
        return cls(
            parents={
                organ: row["parent_organ_id"]
                for organ, row in last.items()
                if (row["valid_to"] or "9999") >= f"{year}-01-01"
            },
            successors={organ: row["successor_organ_id"] for organ, row in last.items()},
            codes={row["ledger_code"]: row["organ_id"] for row in rows},
        )

    def home(self, code: str) -> str:
        """The organ at which a record of this code counts: that of the code, or who took it over;
        the city when nobody is known."""
        organ = self.codes.get(code, "")
        while organ not in self.parents:
            if not organ:
                return next(one for one, parent in self.parents.items() if not parent)
            organ = self.successors.get(organ, "")
        return organ

    def above(self, organ: str) -> Iterator[str]:
        """The organ itself and all over it."""
        while organ:
            yield organ
            organ = self.parents[organ]


# Counting


@dataclass(frozen=True)
class Year:
    """A report year as the rules speak of it, or a span of days within it."""

    number: int
    first: date | None = None
    last: date | None = None

    @property
    def start(self) -> date:
        return self.first or date(self.number, 1, 1)

    @property
    def end(self) -> date:
        return self.last or date(self.number, 12, 31)

    @property
    def before(self) -> date:
        """The last day before it."""
        return self.start - timedelta(days=1)

    def has(self, moment: date | None) -> bool:
        return moment is not None and self.start <= moment <= self.end


def stands(begun: date | None, ended: date | None, on: date) -> bool:
    """Whether what began and ended on these days still stood when the day `on` was over."""
    return begun is not None and begun <= on and (ended is None or ended > on)


def table_two_2019(lists: Mapping[str, list[Record]], year: Year) -> Iterator[tuple[Any, ...]]:
    """Organ code, cell, quantity (条例第二十条 (一)(五)(六)(八)(九)), layout of 2019 and 2020."""
    for one in lists["documents"]:
        row = f"t2.{DOCUMENTS[one['kind']]}"
        yield one["organ"], f"{row}.newly_made", year.has(one["issuedDate"])
        yield one["organ"], f"{row}.newly_disclosed", year.has(one["disclosedDate"])
        standing = stands(one["disclosedDate"], one["abolishedDate"], year.end)
        yield one["organ"], f"{row}.total_disclosed", standing
    for one in lists["items"]:
        row = f"t2.{POWERS[one['kind']]}"
        before, after = (
            stands(one["validFrom"], one["validTo"], on) for on in (year.before, year.end)
        )
        yield one["organ"], f"{row}.prior_items", before
        yield one["organ"], f"{row}.change", after - before
    for one in lists["procurements"]:
        if year.has(one["signedDate"]):
            yield one["organ"], "t2.centralized_procurement.items", 1
            yield one["organ"], "t2.centralized_procurement.amount", Decimal(one["amount"])
    yield from decisions(lists, year, ACTIONS)


def table_two_2021(lists: Mapping[str, list[Record]], year: Year) -> Iterator[tuple[Any, ...]]:
    """Organ code, cell, quantity (条例第二十条 (一)(五)(六)(八)), layout since 2021."""
    for one in lists["documents"]:
        row = f"t2.{DOCUMENTS[one['kind']]}"
        yield one["organ"], f"{row}.issued", year.has(one["issuedDate"])
        yield one["organ"], f"{row}.abolished", year.has(one["abolishedDate"])
        standing = stands(one["issuedDate"], one["abolishedDate"], year.end)
        yield one["organ"], f"{row}.in_force", standing
    for one in lists["fees"]:
        if one["kind"] == "XZSYXSF" and year.has(one["chargedDate"]):
            amount = Decimal(one["amount"]) / 10000
            yield one["organ"], "t2.administrative_fee.amount_10k_yuan", amount
    without_service = {code: row for code, row in ACTIONS.items() if code != "FW"}
    yield from decisions(lists, year, without_service)


def decisions(
    lists: Mapping[str, list[Record]], year: Year, rows: Mapping[str, str]
) -> Iterator[tuple[Any, ...]]:
    """Organ code, cell, quantity: a record is one decision or a month's return of them."""
    for one in lists["actions"]:
        if one["kind"] in rows and year.has(one["decidedDate"]):
            yield one["organ"], f"t2.{rows[one['kind']]}.decisions", one["count"]


def table_three(applications: Iterable[Record], year: Year) -> Iterator[tuple[Any, ...]]:
    """Organ code, cell, quantity. New in the year of receipt, a result in the year of closing,
    carried over the end of every year at which it was open."""
    for one in applications:
        received, closed = one["receivedDate"], one["closedDate"]
        rows = []
        if year.has(received):
            rows.append("new_received")
        if stands(received, closed, year.before):
            rows.append("carried_in")
        if year.has(closed):
            rows.append("results_total")
            rows += result_rows(one["result"] or "", year)
        if stands(received, closed, year.end):
            rows.append("carried_out")
        columns = ["total"]
        if one["applicant"]:
            columns.append(APPLICANTS[one["applicant"]][1])
        if one["applicant"] in LEGAL_PERSONS:
            columns.append("legal_person")
        for row in rows:
            for column in columns:
                yield one["organ"], f"t3.{row}.{column}", 1


def result_rows(result: str, year: Year) -> list[str]:
    """The rows under 本年度办理结果 for a result; 其他处理 is one row before 2021."""
    if not result:
        return []
    subtotal = SUBTOTALS.get(result[:2])
    if subtotal == "other" and year.number < 2021:
        return [subtotal]
    return [RESULTS[result][1]] + ([subtotal] if subtotal else [])


def table_four(cases: Iterable[Record], year: Year) -> Iterator[tuple[Any, ...]]:
    """Organ code, cell, quantity: cases closed in the year by result, and those open at its end."""
    for one in cases:
        row = f"t4.{CASES[one['kind']]}"
        if year.has(one["closedDate"]):
            yield one["organ"], f"{row}.total", 1
            if one["result"]:
                yield one["organ"], f"{row}.{CASE_RESULTS[one['result']]}", 1
        elif stands(one["acceptedDate"], one["closedDate"], year.end):
            yield one["organ"], f"{row}.total", 1
            yield one["organ"], f"{row}.pending", 1


def keys(year: Year) -> set[str]:
    """Every cell of the year's three tables, the narrative's subtotals with them."""
    if year.number < 2021:
        newly = ("newly_made", "newly_disclosed", "total_disclosed")
        grid = [(row, newly) for row in DOCUMENTS.values()]
        grid += [(row, ("prior_items", "change")) for row in POWERS.values()]
        grid += [(row, ("decisions",)) for row in ACTIONS.values()]
        grid += [("centralized_procurement", ("items", "amount"))]
    else:
        grid = [(row, ("issued", "abolished", "in_force")) for row in DOCUMENTS.values()]
        grid += [(row, ("decisions",)) for code, row in ACTIONS.items() if code != "FW"]
        grid += [("administrative_fee", ("amount_10k_yuan",))]
    rows = {"new_received", "carried_in", "results_total", "carried_out"}
    rows.update(row for result in RESULTS for row in result_rows(result, year))
    columns = {column for _, column in APPLICANTS.values()} | {"legal_person", "total"}
    four = (*CASE_RESULTS.values(), "pending", "total")
    return (
        {f"t2.{row}.{column}" for row, printed in grid for column in printed}
        | {f"t3.{row}.{column}" for row in rows for column in columns}
        | {f"t4.{row}.{column}" for row in CASES.values() for column in four}
    )


def recount(
    lists: Mapping[str, list[Record]],
    organs: Path,
    number: int,
    first: date | None = None,
    last: date | None = None,
) -> Cells:
    """Every cell of every organ of the year, or of the days from `first` to `last` within it, own
    and rolled up."""
    year, tree = Year(number, first, last), Tree.of(organs, number)
    sums: Cells = defaultdict(Decimal)
    two = table_two_2019 if number < 2021 else table_two_2021
    for table in (
        two(lists, year),
        table_three(lists["applications"], year),
        table_four(lists["reviews"], year),
    ):
        for code, cell, quantity in table:
            home = tree.home(code)
            sums[home, "own", cell] += quantity
            for organ in tree.above(home):
                sums[organ, "rolled_up", cell] += quantity
    everywhere = {
        (organ, scope, cell): Decimal(0)
        for organ in tree.parents
        for scope in ("own", "rolled_up")
        for cell in keys(year)
    }
    return everywhere | sums
