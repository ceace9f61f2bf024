"""The websites' yearly form of the demo city, counted a second time by another hand.

Nothing of the project is imported: plain requests by the vendors' manuals, the city's own files read as
CSV, the rows of 国办函〔2018〕12号 written out, and loops.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

Record = dict[str, Any]
Shown = dict[str, Any]
"""What a form shows, by `table.row`: a number, a text, or None for a blank."""

# What is read of each list of the CMS; what is not counted is dropped with the answer.
CMS = {
    "lanmu": ("zhandianDm", "sfZt", "ktRq", "gbRq", "zhuangtai"),
    "wenzhang": ("zhandianDm", "xxLb", "jdLb", "fbSj", "zhuangtai", "chexiaoSj"),
    "hudong": ("zhandianDm", "leixing", "slRq", "bjRq", "gkRq", "wmlys", "hfs", "zhuangtai"),
    "fangwenliang": ("zhandianDm", "tjRq", "fwl", "dlyhs"),
}
COUNTS = {
    "services": ("users", "items", "online_items", "cases", "cases_natural", "cases_legal"),
    "safety": ("checks", "found", "mended"),
}
QUESTIONS = {
    "services": ("has_catalogue",),
    "interaction": ("unified", "assistant"),
    "safety": ("warning", "drill", "person"),
    "innovation": ("search", "languages", "accessibility", "personal"),
}
TEXTS = {"innovation": ("other",), "foot": ("head", "reviewer", "filler", "phone", "filled_on")}
KINDS = {"portal": "政府门户网站", "department": "部门网站", "special": "专项网站"}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _get(address: str, headers: Mapping[str, str], parameters: Mapping[str, Any]) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(address, params=dict(parameters), headers=dict(headers), timeout=60)
    answer.raise_for_status()
    return answer.json()


def pull_cms(environment: Mapping[str, str], name: str) -> list[Record]:
    """A whole list, page after page."""
    found: list[Record] = []
    page = 1
    while True:
        asked = {"pageNo": page, "pageSize": 1000}
        address = f"{environment['NIANBAO_CMS_URL']}/api/{name}"
        data = _get(address, {"X-Api-Key": environment["NIANBAO_CMS_KEY"]}, asked)["data"]
        found += ({field: one[field] for field in CMS[name]} for one in data["list"])
        if page * 1000 >= data["total"]:
            return found
        page += 1


def pull_media(
    environment: Mapping[str, str], name: str, fields: tuple[str, ...], **more: str
) -> Iterator[Record]:
    """A whole list of the monitor, or what was updated in a span."""
    offset = 0
    while True:
        asked = {"limit": "1000", "offset": str(offset), **more}
        query = "&".join(f"{quote(k, '-._~')}={quote(v, '-._~')}" for k, v in sorted(asked.items()))
        stamp, nonce = str(int(time.time())), secrets.token_hex(12)
        text = f"{stamp}\n{nonce}\n{query}".encode()
        secret = environment["NIANBAO_MEDIA_SECRET"].encode()
        headers = {
            "X-App-Key": environment["NIANBAO_MEDIA_KEY_ID"],
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": hmac.new(secret, text, hashlib.sha256).hexdigest(),
        }
        body = _get(f"{environment['NIANBAO_MEDIA_URL']}/openapi/{name}", headers, asked)
        yield from ({field: one[field] for field in fields} for one in body["items"])
        offset += 1000
        if offset >= body["total"]:
            return


def pull(environment: Mapping[str, str], years: tuple[int, ...]) -> dict[str, Any]:
    """All that the form counts."""
    found: dict[str, Any] = {name: pull_cms(environment, name) for name in CMS}
    accounts = ("account_id", "platform", "nickname", "sponsor", "opened_on", "closed_on", "state")
    found["accounts"] = list(pull_media(environment, "accounts", accounts))
    posts: dict[tuple[str, int], int] = defaultdict(int)
    for one in pull_media(environment, "posts", ("account_id", "posted_at", "state")):
        if one["state"] != "removed":
            posts[one["account_id"], int(one["posted_at"][:4])] += 1
    found["posts"] = posts
    followers: dict[tuple[str, int], tuple[str, int]] = {}
    for year in years:
        # The last days of the year, when every account in use was counted.
        span = {
            "updated_since": f"{year}-12-25T00:00:00+08:00",
            "updated_until": f"{year + 1}-01-10T00:00:00+08:00",
        }
        fields = ("account_id", "day", "followers")
        for one in pull_media(environment, "followers", fields, **span):
            key = (one["account_id"], year)
            if one["day"].startswith(str(year)):
                last = (one["day"], one["followers"])
                followers[key] = max(followers.get(key, last), last)
    found["followers"] = followers
    return found


def in_year(written: str | None, year: int) -> bool:
    return (written or "")[:4] == str(year)


def by_end(written: str | None, year: int) -> bool:
    return bool(written) and (written or "")[:10] <= f"{year}-12-31"


def of_website(found: dict[str, Any], city: Path, website: dict[str, str], year: int) -> Shown:
    """What one website's form shows for a year."""
    organs = {o["organ_id"]: o for o in lines(city / "organs.csv")}
    organ = organs[website["organ_id"]]
    shown: Shown = {
        "head.unit": organ["organ_name"],
        "head.organ": organ["organ_name"],
        "head.name": website["website_name"],
        "head.address": website["home_url"],
        "head.kind": KINDS[website["website_kind"]],
        "head.code": website["identification_code"] or None,
        "head.icp": website["icp_number"] or None,
        "head.police": website["police_number"] or None,
    }
    own = {
        name: [one for one in found[name] if one["zhandianDm"] == website["cms_code"]]
        for name in CMS
    }
    shown |= _traffic([d for d in own["fangwenliang"] if in_year(d["tjRq"], year)])
    shown |= _articles(own["wenzhang"], year)
    shown |= _columns(own["lanmu"], year)
    shown |= _talks([t for t in own["hudong"] if in_year(t["slRq"], year)], year)
    shown |= _media(found, organ["media_name"], year)
    shown |= _entered(city, website["website_id"], year)
    return shown


def _traffic(days: list[Record]) -> Shown:
    if not days:
        return {"visits.visits": None, "visits.unique_users": None}
    return {
        "visits.visits": sum(d["fwl"] for d in days),
        "visits.unique_users": sum(d["dlyhs"] for d in days),
    }


def _articles(articles: list[Record], year: int) -> Shown:
    published = [
        a
        for a in articles
        if in_year(a["fbSj"], year)
        and not (a["zhuangtai"] == "chexiao" and by_end(a["chexiaoSj"], year))
    ]

    def count(field: str, *codes: str) -> int | None:
        return sum(a[field] in codes for a in published) if published else None

    return {
        "publishing.total": len(published) or None,
        "publishing.overview": count("xxLb", "GK"),
        "publishing.news": count("xxLb", "DT"),
        "publishing.catalogue": count("xxLb", "ML"),
        "interpretation.total": count("jdLb", "CL", "CP", "MT"),
        "interpretation.materials": count("jdLb", "CL"),
        "interpretation.products": count("jdLb", "CP"),
        "interpretation.comments": count("jdLb", "MT"),
        "interpretation.responses": count("jdLb", "HY"),
    }


def _columns(channels: list[Record], year: int) -> Shown:
    if not channels:
        return {"columns.maintained": None, "columns.opened": None}
    special = [c for c in channels if c["sfZt"] == "1" and by_end(c["ktRq"], year)]
    return {
        "columns.maintained": sum(not by_end(c["gbRq"], year) for c in special),
        "columns.opened": sum(in_year(c["ktRq"], year) for c in special),
    }


def _talks(talks: list[Record], year: int) -> Shown:
    messages = [t for t in talks if t["leixing"] in ("ldxx", "wlwz")]
    surveys = [t for t in talks if t["leixing"] == "zjdc"]
    interviews = [t for t in talks if t["leixing"] == "zxft"]
    closed = [m for m in messages if by_end(m["bjRq"], year)]
    days = sum((date.fromisoformat(m["bjRq"]) - date.fromisoformat(m["slRq"])).days for m in closed)
    shown: Shown = {
        "interaction.received": len(messages),
        "interaction.closed": len(closed),
        "interaction.published": sum(by_end(m["gkRq"], year) for m in messages),
        "interaction.consultations": len(surveys),
        "interaction.opinions": sum(s["wmlys"] for s in surveys),
        "interaction.results": sum(by_end(s["gkRq"], year) for s in surveys),
        "interaction.interviews": len(interviews),
        "interaction.questions": sum(i["wmlys"] for i in interviews),
        "interaction.answers": sum(i["hfs"] for i in interviews),
    }
    if not talks:
        shown = dict.fromkeys(shown)
    average = Decimal(days) / len(closed) if closed else None
    hundredth = Decimal("0.01")
    shown["interaction.days"] = average and average.quantize(hundredth, rounding=ROUND_HALF_UP)
    return shown


def _media(found: dict[str, Any], sponsor: str, year: int) -> Shown:
    """The accounts of the website's organ that are in use at the end of the year."""
    accounts = [
        a
        for a in found["accounts"]
        if a["sponsor"] == sponsor
        and a["state"] != "removed"
        and by_end(a["opened_on"], year)
        and not by_end(a["closed_on"], year)
    ]
    shown: Shown = {"new_media.has": bool(accounts)}
    for key, code in (("weibo", "weibo"), ("wechat", "weixin")):
        own = [a for a in accounts if a["platform"] == code]
        counted = [found["followers"].get((a["account_id"], year)) for a in own]
        known = [last[1] for last in counted if last]
        shown[f"new_media.{key}_name"] = "、".join(sorted(a["nickname"] for a in own)) or None
        posts = sum(found["posts"][a["account_id"], year] for a in own)
        shown[f"new_media.{key}_posts"] = posts if own else None
        shown[f"new_media.{key}_followers"] = sum(known) if known else None
    others = (a["nickname"] for a in accounts if a["platform"] not in ("weibo", "weixin"))
    shown["new_media.other"] = "、".join(sorted(others)) or None
    return shown


def _entered(city: Path, website: str, year: int) -> Shown:
    """The last entry of each row."""
    last = {
        entry["row"]: entry["value"]
        for entry in lines(city / "entries" / "website-report.csv")
        if (entry["website_id"], entry["year"]) == (website, str(year))
    }
    shown: Shown = {}
    for rows, read in ((COUNTS, int), (QUESTIONS, "是".__eq__), (TEXTS, str)):
        for table, names in rows.items():
            for name in names:
                value = last.get(f"{table}.{name}")
                shown[f"{table}.{name}"] = read(value) if value else None
    return shown


def recount(found: dict[str, Any], city: Path, year: int) -> dict[str, Shown]:
    """The forms of all websites in use in a year, by website."""
    return {
        website["website_id"]: of_website(found, city, website, year)
        for website in lines(city / "websites.csv")
        if website["valid_from"] <= f"{year}-12-31"
        and (website["valid_to"] or "9999") >= f"{year}-01-01"
    }


def summed(forms: Mapping[str, Shown]) -> Shown:
    """The roll-up of forms: numbers are added, words are nobody's; of questions the yeses; the
    average of days from its two sums cannot be made of the forms, and is left out."""
    whole: Shown = {}
    for row in next(iter(forms.values())):
        values = [form[row] for form in forms.values() if form[row] is not None]
        if row == "interaction.days":
            continue
        if any(isinstance(v, str) for v in values):
            whole[row] = None
        else:
            whole[row] = sum(map(int, values)) if values else None
    return whole
