"""Websites for tests: a registry and entries of the small city, and records of its websites."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from tests.small_city import SmallCity

REGISTRY = """website_id,website_name,home_url,organ_id,website_kind,identification_code,icp_number,police_number,valid_from,valid_to
P,某市人民政府门户网站,http://www.example.gov.cn/,R,portal,1234567890,京ICP备1号,11010002000001,2010-01-01,
C,甲县人民政府网站,http://a.example.gov.cn/,A,portal,1234567891,京ICP备2号,,2012-05-01,
E,某市教育专网,http://edu.example.gov.cn/,B,special,,,,2020-03-01,
"""
HEAD = "website_id,year,row,value,entered_by,entered_on,source"
ENTRIES = (
    "P,2020,safety.checks,4,张三,2021-01-05,检测报告",
    "P,2020,safety.drill,是,张三,2021-01-05,演练记录",
    "C,2020,safety.checks,2,李四,2021-01-06,检测报告",
    "C,2020,safety.drill,否,李四,2021-01-06,演练记录",
    "P,2020,foot.head,王五,张三,2021-01-07,填报单",
)


def add_registry(city: Path, text: str = REGISTRY) -> None:
    (city / "websites.csv").write_text(text, encoding="utf-8")


def add_entries(city: Path, lines: Sequence[str] = ENTRIES, head: str = HEAD) -> Path:
    path = city / "entries" / "website-report.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    return path


def add_records(city: SmallCity) -> None:
    """Records of the portal and of the county's website; the website for education has none."""
    news, directory, column, old = city.add(
        "channel",
        {"channel_name": "动态", "channel_kind": "government_news", "organ_id": "R", "site_id": "P"},
        {"channel_name": "目录", "channel_kind": "disclosure_directory", "organ_id": "R"},
        {"channel_kind": "x", "organ_id": "A", "is_special_column": True, "opened_on": date(2020, 2, 1)},
        {"channel_kind": "special_column", "organ_id": "A", "opened_on": date(2018, 1, 1), "closed_on": date(2020, 6, 1)},
    )  # fmt: skip
    assert column != old

    def article(channel: str, organ: str, **more: object) -> dict[str, object]:
        at = datetime(2020, 5, 4, 9)
        return {"channel_id": channel, "organ_id": organ, "published_at": at, **more}

    city.add(
        "article",
        article(news, "R", site_id="P"),
        # Its organ has a website of its own, and it stands on the portal.
        article(news, "A", site_id="P", information_kind="overview"),
        # Not said where: the website of the organ above.
        article(directory, "A1"),
        article(directory, "A1", interpretation_kind="comment"),
        article(directory, "R", site_id="P", interpretation_form="video"),
        article(directory, "R", site_id="P", interpretation_kind="response"),
        article(directory, "R", site_id="P", published_at=datetime(2019, 5, 4)),
        article(directory, "R", site_id="P", removed_at=datetime(2020, 9, 1)),
    )
    message = {"interaction_kind": "online_inquiry", "organ_id": "R", "site_id": "P"}
    city.add(
        "interaction",
        {**message, "received_on": date(2020, 3, 2), "closed_on": date(2020, 3, 5), "published_on": date(2020, 3, 9)},
        {**message, "received_on": date(2020, 3, 2), "closed_on": date(2020, 3, 12)},
        {**message, "received_on": date(2020, 12, 30), "closed_on": date(2021, 1, 5)},
        {**message, "interaction_kind": "survey", "received_on": date(2020, 4, 1), "message_count": 30, "published_on": date(2021, 2, 1)},
        {**message, "interaction_kind": "consultation", "received_on": date(2020, 4, 1), "message_count": 12, "published_on": date(2020, 6, 1)},
        {**message, "interaction_kind": "interview", "received_on": date(2020, 6, 1), "message_count": 9, "answered_count": 7},
    )  # fmt: skip
    city.add(
        "site_traffic",
        {"site_name": "门户", "site_id": "P", "organ_id": "R", "traffic_on": date(2020, 1, 1), "visit_count": 100, "visitor_count": 40},
        {"site_name": "门户", "site_id": "P", "organ_id": "R", "traffic_on": date(2020, 1, 2), "visit_count": 50, "visitor_count": 30},
        # By its name, and without unique users.
        {"site_name": "甲县人民政府网站", "organ_id": "R", "traffic_on": date(2020, 1, 1), "visit_count": 7},
    )  # fmt: skip
    (wechat,) = city.add(
        "new_media_account",
        {
            "platform": "wechat",
            "account_name": "某市发布",
            "organ_id": "R",
            "opened_on": date(2015, 1, 1),
        },
    )
    city.add(
        "new_media_post",
        *({"account_id": wechat, "posted_at": datetime(year, 7, 1)} for year in (2020, 2020, 2019)),
    )
    city.add(
        "new_media_follower_snapshot",
        {"account_id": wechat, "snapshot_on": date(2020, 6, 1), "follower_count": 10},
        {"account_id": wechat, "snapshot_on": date(2020, 12, 1), "follower_count": 90},
    )


def with_websites(city: SmallCity) -> SmallCity:
    """The small city with its registry, entries and records, as a nightly run leaves them."""
    add_registry(city.folder)
    add_entries(city.folder)
    add_records(city)
    city.register()
    return city
