"""The new-media monitor's records: accounts, follower snapshots, posts, inspections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

from deployments.demo_city.service.cms_data import apportion
from deployments.demo_city.service.moments import YEARS, day_ms, iso_zone, office_hours
from deployments.demo_city.service.organs import ROOT, Organ, Organs
from deployments.demo_city.service.personal import People
from deployments.demo_city.service.store import Row, as_json, write_store
from deployments.demo_city.service.totals import (
    ACCOUNTS_AT_END_OF_2020,
    MEDIA,
    WECHAT,
    WECHAT_FOLLOWERS_BEFORE,
    scaled,
)

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_CLOSED_BEFORE_2021 = 24
_OPENED_IN_2021 = 9
_CLOSED_IN_2021 = 5
_FIRST, _LAST = date(2019, 1, 1), date(2021, 12, 31)
_PLATFORMS = (
    ("weixin", 52),
    ("weibo", 20),
    ("douyin", 14),
    ("toutiao", 9),
    ("app", 2),
    ("qita", 3),
)
_SUFFIX = {
    "weixin": "发布",
    "weibo": "微博",
    "douyin": "视频",
    "toutiao": "头条",
    "app": "通",
    "qita": "号",
}


@dataclass
class Account:
    account_id: str
    name: str
    platform: str
    organ: Organ
    opened: date
    closed: date | None
    rate: float

    def is_open(self, day: date) -> bool:
        return self.opened <= day and (self.closed is None or day < self.closed)

    @property
    def is_main(self) -> bool:
        return self.name == WECHAT


def accounts(rng: Random, organs: Organs) -> list[Account]:
    """All accounts; 120 of them are open at the end of 2020."""
    lasting = organs.lasting()
    main = Account("A0001", WECHAT, "weixin", organs.on(ROOT, _LAST), date(2014, 6, 3), None, 0)
    made = [main]
    # (platform, organ) once each: an organ has one account per platform.
    pairs = [(platform, organ, w) for platform, w in _PLATFORMS for organ in lasting]
    taken = {("weixin", ROOT)}
    total = ACCOUNTS_AT_END_OF_2020 - 1 + _CLOSED_BEFORE_2021 + _OPENED_IN_2021
    while len(made) <= total:
        platform, organ, _ = rng.choices(pairs, [w for _, _, w in pairs])[0]
        if (platform, organ.organ_id) in taken:
            continue
        taken.add((platform, organ.organ_id))
        n = len(made)
        opened, closed = date(rng.randint(2013, 2018), rng.randint(1, 12), rng.randint(1, 28)), None
        if n <= _CLOSED_BEFORE_2021:
            closed = date(rng.choice((2019, 2020, 2020)), rng.randint(3, 12), rng.randint(1, 28))
        elif n <= _CLOSED_BEFORE_2021 + _OPENED_IN_2021:
            opened = date(2021, rng.randint(1, 10), rng.randint(1, 28))
        elif n <= _CLOSED_BEFORE_2021 + _OPENED_IN_2021 + _CLOSED_IN_2021:
            closed = date(2021, rng.randint(2, 11), rng.randint(1, 28))
        elif n % 8 == 0:
            opened = date(rng.choice((2019, 2020)), rng.randint(4, 11), rng.randint(1, 28))
        # A zombie posts next to nothing before it is closed.
        rate = 0.03 if closed and closed.year < 2021 else rng.lognormvariate(0, 0.7)
        name = f"{organ.media_name}{_SUFFIX[platform]}"
        made.append(Account(f"A{n + 1:04d}", name, platform, organ, opened, closed, rate))
    return made


def _account_rows(rng: Random, people: People, made: list[Account]) -> Iterator[Row]:
    for a in made:
        touched = max(a.closed or a.opened, date(2018, 12, 20))
        updated = office_hours(rng, touched)
        manager = people.anyone()
        record = {
            "account_id": a.account_id,
            "platform": a.platform,
            "nickname": a.name,
            "sponsor": a.organ.media_name,
            "verified": a.is_main or rng.random() < 0.9,
            "filed": a.is_main or rng.random() < 0.97,
            "opened_on": a.opened.isoformat(),
            "closed_on": a.closed.isoformat() if a.closed else None,
            "state": "normal",
            "removed_at": None,
            "updated_at": iso_zone(updated),
            "manager": {"name": manager.name, "mobile": manager.phone, "id_card": manager.identity},
        }
        yield updated, a.account_id, day_ms(a.opened), False, as_json(record)


def _growth(rng: Random, a: Account) -> dict[date, int]:
    """Followers at the end of each day of the three years."""
    knots = [(date(2018, 12, 31), float(WECHAT_FOLLOWERS_BEFORE))]
    knots += [(date(y, 12, 31), float(m.followers_at_end)) for y, m in MEDIA.items()]
    if not a.is_main:
        level = rng.lognormvariate(8.1, 1.0)
        knots = [(d, level * (1 + 0.22 * n * rng.random())) for n, (d, _) in enumerate(knots)]
        knots.sort(key=lambda knot: knot[1])
        knots = list(
            zip([date(y, 12, 31) for y in (2018, *YEARS)], [k[1] for k in knots], strict=True)
        )
    counts: dict[date, int] = {}
    for (begin, low), (end, high) in pairwise(knots):
        length = (end - begin).days
        for n in range(1, length + 1):
            counts[begin + timedelta(n)] = round(low + (high - low) * n / length)
    return counts


def _month_end(day: date) -> bool:
    return (day + timedelta(1)).day == 1


def _follower_rows(rng: Random, people: People, made: list[Account], scale: float) -> Iterator[Row]:
    names = [people.anyone().name for _ in range(20)]
    for a in made:
        for day, followers in _growth(rng, a).items():
            # A small city keeps the snapshots of month ends only.
            if not a.is_open(day) or (scale < 1 and not _month_end(day)):
                continue
            updated = day_ms(day) + _DAY + int(rng.random() * 3600) * 1000
            text = day.isoformat()
            record = {
                "account_id": a.account_id,
                "day": text,
                "followers": followers,
                "captured_by": names[day.day % 20],
                "updated_at": iso_zone(updated),
            }
            yield updated, f"{a.account_id}@{text}", day_ms(day), False, as_json(record)


def _open_days(a: Account, year: int) -> list[date]:
    first = date(year, 1, 1)
    days = (first + timedelta(n) for n in range((date(year, 12, 31) - first).days + 1))
    return [day for day in days if a.is_open(day)]


def _posts_of_year(
    rng: Random, made: list[Account], year: int, scale: float
) -> Iterator[tuple[Account, date]]:
    others = [a for a in made if not a.is_main]
    open_days = {a.account_id: _open_days(a, year) for a in made}
    weights = [a.rate * len(open_days[a.account_id]) for a in others]
    shares = apportion(scaled(MEDIA[year].other_posts, scale), weights)
    for a, count in [
        (made[0], scaled(MEDIA[year].posts, scale)),
        *zip(others, shares, strict=True),
    ]:
        if count:
            yield from ((a, day) for day in rng.choices(open_days[a.account_id], k=count))


def _post_rows(rng: Random, people: People, made: list[Account], scale: float) -> Iterator[Row]:
    for year in YEARS:
        plan = sorted(
            ((day_ms(day) + 7 * _HOUR + int(rng.random() * 54_000) * 1000, a.account_id, a)
            for a, day in _posts_of_year(rng, made, year, scale)),
            key=lambda entry: entry[:2],
        )  # fmt: skip
        for n, (posted, account_id, a) in enumerate(plan, start=1):
            # Some posts of other accounts are taken down within hours.
            removed = not a.is_main and rng.random() < 0.003
            updated = posted + (2 * _HOUR if removed else int(rng.random() * 20) * _HOUR)
            reads = int(rng.lognormvariate(5.6, 1.2))
            editor = people.anyone()
            post_id = f"P{year}{n:07d}"
            record = {
                "post_id": post_id,
                "account_id": account_id,
                "title": people.text(),
                "posted_at": iso_zone(posted),
                "metrics": {"reads": reads, "interactions": int(reads * rng.random() * 0.06)},
                "state": "removed" if removed else "normal",
                "removed_at": iso_zone(updated) if removed else None,
                "updated_at": iso_zone(updated),
                "editor": {"name": editor.name, "mobile": editor.phone},
            }
            yield updated, post_id, posted, removed, as_json(record)


def _inspection_rows(rng: Random, people: People, made: list[Account]) -> Iterator[Row]:
    number = 0
    for a in made:
        for year in YEARS:
            for month in (3, 6, 9, 12):
                day = date(year, month, rng.randint(8, 24))
                if not a.is_open(day) or rng.random() < 0.4:
                    continue
                number += 1
                zombie = a.rate < 0.05
                passed = rng.random() > (0.7 if zombie else 0.04)
                veto = None
                if not passed:
                    veto = "GX14" if zombie else rng.choice(("GX14", "HD00", "BKY0", "GX14"))
                updated = office_hours(rng, day)
                record_id = f"JC{number:05d}"
                record = {
                    "inspection_id": record_id,
                    "account_id": a.account_id,
                    "inspected_on": day.isoformat(),
                    "passed": passed,
                    "veto": veto,
                    "inspector": people.anyone().name,
                    "remark": people.text(),
                    "updated_at": iso_zone(updated),
                }
                yield updated, record_id, day_ms(day), False, as_json(record)


def generate(folder: Path, seed: int, scale: float) -> None:
    """Write the monitor's records."""
    rng = Random(f"{seed}/media")
    people = People(rng, 800)
    made = accounts(rng, Organs())
    write_store(folder, "accounts", _account_rows(rng, people, made))
    write_store(folder, "followers", _follower_rows(rng, people, made, scale))
    write_store(folder, "posts", _post_rows(rng, people, made, scale))
    write_store(folder, "inspections", _inspection_rows(rng, people, made))
