"""`python -m deployments.demo_city.service.check --home DIR`: pulls the city and sums up 2020.

The sums are made here from the answers, with plain counting, so that a figure that does not
come out is the demo city's fault and not the pipeline's.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from python_calamine import CalamineWorkbook

from deployments.demo_city.service.client import Client, Record
from deployments.demo_city.service.filed import KINDS, OUTCOMES
from deployments.demo_city.service.moments import day_ms
from deployments.demo_city.service.totals import WECHAT
from deployments.demo_city.service.workbooks import KIND_TEXTS, OUTCOME_TEXTS

_CITY = Path(__file__).parent.parent
_YEAR = 2020
_DIGITS = re.compile(r"\d+")
_ROOT_NAME = "汕尾市人民政府"


def read_date(value: Any) -> date | None:
    """A date in any of the ledger's forms, Excel dates among them."""
    if value in (None, ""):
        return None
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    year, month, day = (int(part) for part in _DIGITS.findall(str(value))[:3])
    return date(year, month, day)


def _count(records: Iterable[Record], test: Callable[[Record], Any]) -> int:
    return sum(1 for record in records if test(record))


def workbook_applications(client: Client) -> list[Record]:
    """The applications in the townships' workbooks, as the ledger's API would give them."""
    kinds = {text: code for code, text in KIND_TEXTS.items()}
    outcomes = {text: code for code, text in OUTCOME_TEXTS.items()}
    found = []
    for entry in client.get("ledger", "/workbooks/").json()["files"]:
        content = client.get("ledger", f"/workbooks/{entry['name']}").content
        rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name("登记表")
        for row in rows.to_python()[5:]:
            if not str(row[1]).count("-"):
                continue
            found.append(
                {
                    "id": row[1],
                    "organ": {"code": entry["unitCode"]},
                    "applicant": {"kind": kinds[str(row[5])]},
                    "receivedDate": row[2],
                    "closedDate": row[13],
                    "result": outcomes.get(str(row[14])),
                    "status": "normal",
                }
            )
    return found


def applications(client: Client, figures: dict[str, Any]) -> list[str]:
    """Figures of section (二); gives the ids of the defective applications."""
    first, last = date(_YEAR, 1, 1), date(_YEAR, 12, 31)
    rows, defective = [], []
    for a in [*client.ledger("applications"), *workbook_applications(client)]:
        received, closed = read_date(a["receivedDate"]), read_date(a["closedDate"])
        if a["status"] == "withdrawn" or received is None or received > last:
            continue
        if closed is not None and closed < first:
            continue
        rows.append((a, received, closed))
        kind, result = a["applicant"]["kind"], a["result"]
        if not kind or (closed is not None and not result):
            defective.append(a["id"])
    closed_rows = [a for a, _, closed in rows if closed is not None and closed <= last]
    results = [OUTCOMES.get(a["result"] or "", "") for a in closed_rows]
    figures["applications_received"] = len(rows)
    figures["applications_carried_in"] = sum(received < first for _, received, _ in rows)
    figures["applications_carried_out"] = len(rows) - len(closed_rows)
    kinds = [KINDS.get(a["applicant"]["kind"], "") for a, _, _ in rows]
    figures["applications_natural_person"] = kinds.count("natural_person")
    figures["applications_legal_person"] = sum(k not in ("", "natural_person") for k in kinds)
    for key in ("granted", "partially_granted", "denied", "unavailable", "unprocessed", "other"):
        figures[key] = sum(r == key or r.startswith(f"{key}_") for r in results)
    return sorted(defective)


def _website(client: Client, figures: dict[str, Any]) -> None:
    channels = {c["lanmuId"]: c for c in client.cms("lanmu")}
    published = [
        a
        for a in client.cms("wenzhang")
        if (a["fbSj"] or "").startswith(str(_YEAR))
        and not (a["zhuangtai"] == "chexiao" and a["chexiaoSj"] < f"{_YEAR + 1}")
    ]
    disclosed = [a for a in published if channels[a["lanmuId"]]["shiGongkai"] == "1"]
    figures["disclosed_items"] = len(disclosed)
    figures["key_field_items"] = _count(disclosed, lambda a: a["zdly"])
    by_kind = {
        "work_reports": "05", "congress_suggestions": "06", "cppcc_proposals": "07",
        "interpretations": "04", "major_decisions": "21", "pilot_fields": "22",
        "one_thing_items": "23", "yueshengshi_items": "24", "intermediary_procurements": "25",
        "epidemic_column_items": "26",
    }  # fmt: skip
    kinds = [channels[a["lanmuId"]]["lanmuLx"] for a in published]
    for key, code in by_kind.items():
        figures[key] = kinds.count(code)
    received = [h for h in client.cms("hudong") if h["slRq"].startswith(str(_YEAR))]
    for key, kind in (("leader_messages", "ldxx"), ("online_inquiries", "wlwz")):
        mine = [h for h in received if h["leixing"] == kind]
        figures[key] = len(mine)
        figures[f"{key}_closed"] = _count(
            mine, lambda h: h["bjRq"] and h["bjRq"] <= f"{_YEAR}-12-31"
        )
    figures["online_inquiries_open"] = (
        figures["online_inquiries"] - figures["online_inquiries_closed"]
    )
    figures["interviews"] = _count(received, lambda h: h["leixing"] == "zxft")
    figures["portal_visits"] = sum(
        t["fwl"]
        for t in client.cms("fangwenliang")
        if t["shiMenhu"] == "1" and t["tjRq"].startswith(str(_YEAR))
    )


def _books(client: Client, figures: dict[str, Any]) -> None:
    documents = list(client.ledger("documents"))

    def of_year(value: Any) -> bool:
        day = read_date(value)
        return day is not None and day.year == _YEAR

    for key, kind in (("regulations", "GZ"), ("normative_documents", "GFXWJ")):
        figures[key] = sum(d["kind"] == kind and of_year(d["disclosedDate"]) for d in documents)
    figures["normative_documents_abolished"] = _count(
        documents,
        lambda d: (
            d["kind"] == "GFXWJ"
            and d["organ"]["name"] == _ROOT_NAME
            and of_year(d["abolishedDate"])
        ),
    )
    issues = [g for g in client.ledger("gazette") if of_year(g["publishedDate"])]
    of_city = [g for g in issues if g["organ"]["name"] == _ROOT_NAME]
    figures["gazette_copies"] = sum(g["copies"] for g in issues)
    figures["gazette_city_issues"] = len(of_city)
    figures["gazette_city_copies"] = sum(g["copies"] for g in of_city)


def _media(client: Client, figures: dict[str, Any]) -> None:
    last = f"{_YEAR}-12-31"
    accounts = list(client.media("accounts"))
    figures["new_media_accounts"] = _count(
        accounts,
        lambda a: a["opened_on"] <= last and not (a["closed_on"] and a["closed_on"] <= last),
    )
    main = next(a["account_id"] for a in accounts if a["nickname"] == WECHAT)
    figures["wechat_followers"] = next(
        f["followers"]
        for f in client.media("followers")
        if f["account_id"] == main and f["day"] == last
    )
    figures["wechat_posts"] = _count(
        client.media("posts"),
        lambda p: (
            p["account_id"] == main
            and p["state"] == "normal"
            and p["posted_at"].startswith(str(_YEAR))
        ),
    )


def _hotline(client: Client, figures: dict[str, Any]) -> None:
    begin, end = day_ms(date(_YEAR, 1, 1)), day_ms(date(_YEAR + 1, 1, 1))

    def in_year(value: int | None) -> bool:
        return value is not None and begin <= value < end

    figures["hotline_calls"] = _count(client.hotline("calls"), lambda c: in_year(c["callTime"]))
    orders = list(client.hotline("workOrders"))
    figures["hotline_work_orders"] = _count(orders, lambda o: in_year(o["dispatchTime"]))
    due = [o for o in orders if in_year(o["limitTime"])]
    figures["work_orders_due"] = len(due)
    figures["work_orders_on_time"] = _count(
        due, lambda o: o["finishTime"] and o["finishTime"] <= o["limitTime"]
    )
    reached = [o for o in orders if o["visit"]["success"] and in_year(o["visit"]["time"])]
    figures["callbacks_successful"] = len(reached)
    figures["callbacks_satisfied"] = _count(reached, lambda o: o["visit"]["satisfied"])


def sum_up(client: Client) -> tuple[dict[str, Any], list[str]]:
    """The figures of 2020 from the served records, and the ids of the defective applications."""
    figures: dict[str, Any] = {}
    defective = applications(client, figures)
    _website(client, figures)
    _books(client, figures)
    _media(client, figures)
    _hotline(client, figures)
    return figures, defective


def main() -> int:
    from deployments.demo_city.service.runner import running

    parser = argparse.ArgumentParser(description="取一遍演示城市,与已公布的数字核对")
    parser.add_argument("--home", type=Path, required=True)
    with running(parser.parse_args().home) as environment:
        figures, defective = sum_up(Client(environment))
    on_time = figures["work_orders_on_time"] / figures["work_orders_due"]
    satisfied = figures["callbacks_satisfied"] / figures["callbacks_successful"]
    figures["hotline_on_time_rate"], figures["hotline_satisfaction_rate"] = on_time, satisfied
    printed = yaml.safe_load((_CITY / "published" / "2020.yaml").read_text(encoding="utf-8"))
    wrong = 0
    for figure in printed["figures"]:
        key, value = figure["key"], figure["value"]
        if key not in figures:
            continue
        if "decimals" in figure:
            came = figures[key] * 100
            # Truncated and rounded must both print what was published.
            agrees = f"{came:.2f}" == value == f"{int(came * 100) / 100:.2f}"
        else:
            came, agrees = figures[key], str(figures[key]) == value
        wrong += not agrees
        print("相符" if agrees else "不符", key, value, came)
    for key in (
        "work_orders_due",
        "work_orders_on_time",
        "callbacks_successful",
        "callbacks_satisfied",
    ):
        print("    ", key, figures[key])
    print("登记不全的申请:", "、".join(defective))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
