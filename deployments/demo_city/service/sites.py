"""The websites of the demo city that its CMS runs, and what they offer for their yearly form.

What is said of a record here follows from the record or from a generator of its own, so that the
other records stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from deployments.demo_city.service.moments import PRESENT, day_ms, office_hours, spaced
from deployments.demo_city.service.organs import ROOT, Organs
from deployments.demo_city.service.personal import People
from deployments.demo_city.service.store import Row, as_json


@dataclass(frozen=True)
class Site:
    code: str
    name: str
    organ_id: str


PORTAL = Site("S01", "汕尾市人民政府门户网站", ROOT)
SITES = (
    PORTAL,
    Site("S02", "汕尾市城区人民政府网站", "441502"),
    Site("S03", "海丰县人民政府网站", "441521"),
    Site("S04", "陆丰市人民政府网站", "441581"),
    Site("S05", "陆河县人民政府网站", "441523"),
    Site("S06", "红海湾经济开发区网站", "441571"),
    Site("S07", "华侨管理区网站", "441572"),
)
SURVEYS = {2019: 14, 2020: 21, 2021: 26}
"""Consultations and surveys (征集调查) that began in a year."""
TOPIC_OF_OVERVIEW = "领导分工调整"
_INTERPRETED_AS = ("CL", "CP", "CL", "MT")
_EVERY_RESPONSE = 61
"""Of how many news articles one answers what people ask about."""
# Special columns of the six websites below the portal, with the days on which they opened and closed.
SPECIAL_COLUMNS = (
    ("乡村振兴", date(2019, 5, 10), None),
    ("疫情防控", date(2020, 1, 26), None),
    ("优化营商环境", date(2020, 6, 18), None),
    ("党史学习教育", date(2021, 3, 5), date(2021, 12, 20)),
)


def site_of(organs: Organs, organ_id: str, day: date) -> str:
    """The website on which an organ publishes: its own, or that of the nearest organ above."""
    own = {site.organ_id: site.code for site in SITES}
    at = organ_id
    while at not in own:
        at = organs.on(at, day).parent
    return own[at]


def information_kind(genre: str, topic: str, *, is_news: bool, is_disclosure: bool) -> str:
    """概况 GK, 动态 DT, 目录 ML, 其他 QT, as the CMS keeps it."""
    if genre == "通知" and topic == TOPIC_OF_OVERVIEW:
        return "GK"
    if is_news:
        return "DT"
    return "ML" if is_disclosure else "QT"


def interpretation_kind(number: int, genre: str, *, is_news: bool) -> str | None:
    """材料 CL, 产品 CP, 媒体评论 MT, 回应 HY; None for what neither interprets nor answers."""
    if genre == "解读":
        return _INTERPRETED_AS[number % len(_INTERPRETED_AS)]
    return "HY" if is_news and number % _EVERY_RESPONSE == 0 else None


def surveys(seed: int, organs: Organs) -> Iterator[Row]:
    """Consultations and surveys, website by website in turn; some have no results yet."""
    rng = Random(f"{seed}/surveys")
    people = People(rng, 50)
    for year, count in SURVEYS.items():
        first = date(year, 1, 4)
        for n in range(count):
            began = first + timedelta(days=(n * 355) // count + rng.randint(0, 6))
            ended = began + timedelta(days=rng.randint(15, 30))
            told = ended + timedelta(days=rng.randint(5, 25)) if rng.random() < 0.85 else None
            site = SITES[n % len(SITES)]
            record_id = f"ZJ{year}{n + 1:04d}"
            updated = min(office_hours(rng, told or ended), day_ms(PRESENT))
            person = people.anyone()
            record: dict[str, Any] = {
                "hdId": record_id,
                "leixing": "zjdc",
                "danweiDm": organs.on(site.organ_id, began).cms_code,
                "zhandianDm": site.code,
                "lanmuMc": "征集调查",
                "slRq": began.isoformat(),
                "bjRq": ended.isoformat() if ended <= PRESENT else None,
                "gkRq": told.isoformat() if told and told <= PRESENT else None,
                "wmlys": rng.randint(6, 900),
                "hfs": None,
                "zhuangtai": "fabu",
                "chexiaoSj": None,
                "gxSj": spaced(updated),
                "xingming": person.name,
                "shoujihao": person.phone,
                "shenfenzheng": person.identity,
                "dizhi": person.address,
                "neirong": people.text(),
            }
            yield updated, record_id, day_ms(began), False, as_json(record)
