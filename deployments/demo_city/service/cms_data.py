"""The CMS's records: channels, articles, interactions, site traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from deployments.demo_city.service import channels
from deployments.demo_city.service.moments import (
    PRESENT,
    YEARS,
    DayDraw,
    day_ms,
    office_hours,
    spaced,
    until_present,
)
from deployments.demo_city.service.organs import ROOT, Organ, OrganDraw, Organs
from deployments.demo_city.service.personal import People
from deployments.demo_city.service.sites import (
    PORTAL,
    SITES,
    information_kind,
    interpretation_kind,
    site_of,
    surveys,
)
from deployments.demo_city.service.store import Row, as_json, write_store
from deployments.demo_city.service.totals import CMS, CmsYear, scaled
from deployments.demo_city.service.workdays import add_working_days

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_TOPICS = (
    "做好森林防火工作", "公布行政许可结果", "开展安全生产大检查", "公开招聘工作人员", "部门预算",
    "部门决算", "项目环境影响评价", "国有建设用地使用权出让", "优抚对象补助发放", "学校招生工作",
    "公共卫生事件应急预案", "行政处罚信息公示", "农村危房改造", "食品安全监督抽检", "项目招标",
    "城乡低保对象名单公示", "防汛防旱防风工作", "领导分工调整", "疫苗接种安排", "稳岗补贴发放",
)  # fmt: skip


@dataclass(frozen=True)
class _Batch:
    """Articles of one channel kind and genre in one year."""

    channel: str
    genre: str
    count: int
    key_field: str | None = None
    organ_id: str | None = None


def _organ_weight(organ: Organ) -> float:
    return {"city": 18, "county": 9, "functional_zone": 4, "township": 1.4}.get(
        organ.kind, 4 if organ.of_city else 1.2
    )


class _Newsroom:
    """Writes articles: one generator for all of a year's batches."""

    def __init__(self, rng: Random, organs: Organs, scale: float) -> None:
        self._rng, self._scale = rng, scale
        self._people = People(rng, 800)
        self._draw = OrganDraw(organs, rng, _organ_weight)
        self._organs = organs
        self._numbers = dict.fromkeys(YEARS, 0)
        self._disclosing = {c.channel_id: c.is_disclosure for c in channels.channel_tree(organs)}

    def year(self, year: int, wanted: CmsYear) -> Iterator[Row]:
        batches = list(self._batches(wanted))
        days = DayDraw(self._rng, date(year, 1, 1), date(year, 12, 31), 0.25)
        plan: list[tuple[date, _Batch, str]] = []
        for batch in batches:
            plan += [(day, batch, "") for day in days.many(batch.count)]
        directory = _Batch("", "通知", 0)
        early = DayDraw(self._rng, date(year, 1, 1), date(year, 9, 30), 0.25)
        for state, count in (("in_year", wanted.withdrawn_in_year), ("draft", wanted.drafts)):
            plan += [(day, directory, state) for day in early.many(scaled(count, self._scale))]
        later = [n for n, (_, b, s) in enumerate(plan) if not b.channel and not s]
        for n in self._rng.sample(
            later, min(len(later), scaled(wanted.withdrawn_later, self._scale))
        ):
            plan[n] = (plan[n][0], plan[n][1], "later")
        plan.sort(key=lambda entry: entry[0])
        interpreted: list[str] = []
        for day, batch, state in plan:
            yield self._article(year, day, batch, state, interpreted)

    def _batches(self, wanted: CmsYear) -> Iterator[_Batch]:
        def some(count: int) -> int:
            return scaled(count, self._scale)

        named = [
            _Batch("LM0402", "报告", some(wanted.work_reports), organ_id=ROOT),
            _Batch("LM0403", "答复", some(wanted.congress_suggestions)),
            _Batch("LM0404", "答复", some(wanted.cppcc_proposals)),
            _Batch(channels.INTERPRETATIONS, "解读", some(wanted.interpretations)),
            _Batch(channels.REGULATIONS, "规章", some(wanted.regulations), organ_id=ROOT),
            _Batch(channels.NORMATIVE, "规范性文件", some(wanted.normative_documents)),
        ]
        fields = list(channels.KEY_FIELDS)
        each, extra = divmod(some(wanted.key_field), len(fields))
        for n, code in enumerate(fields):
            channel = channels.key_field_channel(code)
            named.append(_Batch(channel, "其他", each + (n < extra), key_field=code))
        yield from named
        listed = wanted.key_field + wanted.work_reports + wanted.congress_suggestions
        listed += wanted.cppcc_proposals + wanted.interpretations
        listed += wanted.regulations + wanted.normative_documents
        # What is not listed stands in the organs' own directories.
        yield _Batch("", "通知", some(wanted.disclosed - listed))
        yield _Batch(channels.NEWS_CHANNEL, "动态", some(wanted.news))
        for kind, count in wanted.columns.items():
            genre = "动态" if kind == "26" else "目录清单"
            yield _Batch(channels.column_channel(kind), genre, some(count))

    def _article(
        self, year: int, day: date, batch: _Batch, state: str, interpreted: list[str]
    ) -> Row:
        rng = self._rng
        organ = self._organs.on(batch.organ_id, day) if batch.organ_id else self._draw.pick(day)
        self._numbers[year] += 1
        number = self._numbers[year]
        record_id = f"WZ{year}{number:06d}"
        published = office_hours(rng, day)
        updated, withdrawn = self._touched(year, published, state)
        is_document = batch.genre in ("规范性文件", "规章")
        if is_document:
            interpreted.append(record_id)
        source = rng.choice(interpreted) if batch.genre == "解读" and interpreted else None
        organ_words = organ.name.removesuffix("人民政府")
        has_number = is_document or (batch.genre == "通知" and rng.random() < 0.5)
        draft = state == "draft"
        topic = rng.choice(_TOPICS)
        channel = batch.channel or channels.organ_channel(organ.organ_id)
        is_news = channel == channels.NEWS_CHANNEL
        record = {
            "wzId": record_id,
            "lanmuId": channel,
            "zhandianDm": site_of(self._organs, organ.organ_id, day),
            "danweiDm": organ.cms_code,
            "biaoti": f"{organ_words}关于{topic}的{batch.genre}({number})",
            "wenhao": f"{organ.organ_id}〔{year}〕{number}号" if has_number else None,
            "suoyinhao": f"{organ.organ_id}/{year}-{number:05d}",
            "ticai": batch.genre,
            "zdly": batch.key_field,
            "xxLb": information_kind(
                batch.genre, topic, is_news=is_news, is_disclosure=self._disclosing[channel]
            ),
            "jdLb": interpretation_kind(number, batch.genre, is_news=is_news),
            "xiaoli": "有效" if is_document else None,
            "jieduWzId": source,
            "cjSj": spaced(published - int(rng.random() * 40) * _HOUR),
            "fbSj": None if draft else spaced(published),
            "gxSj": spaced(updated),
            "wangzhi": f"http://www.shanwei.example/{year}/{record_id}.html",
            "zhuangtai": "chexiao" if withdrawn else ("caogao" if draft else "fabu"),
            "chexiaoSj": spaced(updated) if withdrawn else None,
            "zuozhe": self._people.anyone().name,
            "lianxiDianhua": self._people.anyone().phone,
            "zhengwen": self._people.text(),
        }
        # A draft has no publication, so no count by publication holds it.
        return updated, record_id, 0 if draft else published, withdrawn, as_json(record)

    def _touched(self, year: int, published: int, state: str) -> tuple[int, bool]:
        """Time of the last change and whether that was a withdrawal."""
        rng = self._rng
        if state == "in_year":
            return published + int(1 + rng.random() * 60) * _DAY, True
        if state == "later":
            return office_hours(rng, date(year + 1, rng.randint(2, 6), rng.randint(1, 28))), True
        if rng.random() < 0.12:
            edited = published + int(rng.random() * 40 * 24) * _HOUR
            return min(edited, day_ms(PRESENT)), False
        return published, False


def _channels(organs: Organs) -> Iterator[Row]:
    for n, channel in enumerate(channels.channel_tree(organs)):
        updated = day_ms(date(2018, 12, 1)) + n * 60_000
        organ = organs.on(channel.organ_id, organs.existed_from(channel.organ_id))
        record = {
            "lanmuId": channel.channel_id,
            "fuLanmuId": channel.parent,
            "lanmuMc": channel.name,
            "lanmuLx": channel.kind,
            "shiGongkai": "1" if channel.is_disclosure else "0",
            "danweiDm": organ.cms_code,
            "zhandianDm": channel.site or site_of(organs, organ.organ_id, organ.valid_from),
            "sfZt": "1" if channel.is_special else "0",
            "ktRq": channel.opened.isoformat() if channel.opened else None,
            "gbRq": channel.closed.isoformat() if channel.closed else None,
            "zhuangtai": "fabu",
            "chexiaoSj": None,
            "gxSj": spaced(updated),
        }
        yield updated, channel.channel_id, updated, False, as_json(record)


class _Desk:
    """Leader messages, online inquiries and interviews."""

    def __init__(self, rng: Random, organs: Organs) -> None:
        self._rng, self._people = rng, People(rng, 800)
        self._draw = OrganDraw(
            organs, rng, lambda o: 0 if o.kind == "township" else _organ_weight(o)
        )
        self._organs = organs
        self._count = 0

    def year(self, year: int, wanted: CmsYear, scale: float) -> Iterator[Row]:
        rng = self._rng
        year_end = date(year, 12, 31)
        days = DayDraw(rng, date(year, 1, 2), date(year, 12, 10), 0.4)
        for day in days.many(scaled(wanted.leader_messages, scale)):
            platform = rng.choice(("省长留言", "市长信箱", "人民网《领导留言板》"))
            yield self._message("ldxx", platform, self._organs.on(ROOT, day), day, year_end)
        early = DayDraw(rng, date(year, 1, 2), date(year, 12, 20), 0.4)
        for day in early.many(scaled(wanted.inquiries_closed, scale)):
            yield self._message("wlwz", "网络问政平台", self._draw.pick(day), day, year_end)
        late = DayDraw(rng, date(year, 11, 2), date(year, 12, 31), 0.4)
        for day in late.many(scaled(wanted.inquiries_open, scale)):
            organ = self._draw.pick(day)
            closed = add_working_days(year_end, rng.randint(2, 40)) if rng.random() < 0.85 else None
            yield self._row("wlwz", "网络问政平台", organ, day, until_present(closed))
        for n in range(wanted.interviews):
            day = add_working_days(date(year, 1 + n % 12, 20), 0)
            organ = self._organs.on(
                ("441500D02", "441500D06", "441500D12", "441500D29")[n % 4], day
            )
            yield self._row("zxft", "在线访谈", organ, day, day, interview=True)

    def _message(self, kind: str, platform: str, organ: Organ, day: date, last: date) -> Row:
        closed = add_working_days(day, self._rng.randint(1, 14))
        closed = max(day, min(closed, last))
        if organ.valid_to:
            closed = max(day, min(closed, organ.valid_to))
        return self._row(kind, platform, organ, day, closed)

    def _row(
        self,
        kind: str,
        platform: str,
        organ: Organ,
        received: date,
        closed: date | None,
        interview: bool = False,
    ) -> Row:
        rng, people = self._rng, self._people
        self._count += 1
        record_id = f"HD{received.year}{self._count:06d}"
        updated = office_hours(rng, closed or received)
        person = people.anyone()
        record: dict[str, Any] = {
            "hdId": record_id,
            "leixing": kind,
            "danweiDm": organ.cms_code,
            "zhandianDm": site_of(self._organs, organ.organ_id, received),
            "lanmuMc": platform,
            "slRq": received.isoformat(),
            "bjRq": closed.isoformat() if closed else None,
            "gkRq": closed.isoformat() if closed and rng.random() < 0.7 else None,
            "wmlys": rng.randint(18, 120) if interview else None,
            "hfs": rng.randint(8, 18) if interview else None,
            "zhuangtai": "fabu",
            "chexiaoSj": None,
            "gxSj": spaced(updated),
            "xingming": person.name,
            "shoujihao": person.phone,
            "shenfenzheng": person.identity,
            "dizhi": person.address,
            "neirong": people.text(),
        }
        return updated, record_id, day_ms(received), False, as_json(record)


def apportion(total: int, weights: list[float]) -> list[int]:
    """Whole numbers in proportion to the weights that add up to the total."""
    whole = sum(weights)
    shares = [total * w / whole for w in weights]
    counts = [int(share) for share in shares]
    rest = sorted(range(len(shares)), key=lambda n: counts[n] - shares[n])
    for n in rest[: total - sum(counts)]:
        counts[n] += 1
    return counts


def _traffic(rng: Random, organs: Organs) -> Iterator[Row]:
    for year in YEARS:
        first = date(year, 1, 1)
        days = [first + timedelta(n) for n in range((date(year, 12, 31) - first).days + 1)]
        for site in SITES:
            portal = site is PORTAL
            total = CMS[year].portal_visits if portal else rng.randint(150_000, 700_000)
            weights = [rng.uniform(0.6, 1.4) * (0.6 if d.weekday() > 4 else 1.0) for d in days]
            for day, visits in zip(days, apportion(total, weights), strict=True):
                updated = day_ms(day) + _DAY + 2 * _HOUR
                record_id = f"{site.code}-{day:%Y%m%d}"
                record = {
                    "jlId": record_id,
                    "zhandianDm": site.code,
                    "wangzhanMc": site.name,
                    "shiMenhu": "1" if portal else "0",
                    "danweiDm": organs.on(site.organ_id, day).cms_code,
                    "tjRq": day.isoformat(),
                    "fwl": visits,
                    "dlyhs": int(visits * rng.uniform(0.3, 0.55)),
                    "gxSj": spaced(updated),
                }
                yield updated, record_id, day_ms(day), False, as_json(record)


def generate(folder: Path, seed: int, scale: float) -> None:
    """Write the CMS's records."""
    organs = Organs()
    rng = Random(f"{seed}/cms")
    newsroom, desk = _Newsroom(rng, organs, scale), _Desk(rng, organs)
    write_store(folder, "lanmu", _channels(organs))
    articles = (row for year in YEARS for row in newsroom.year(year, CMS[year]))
    write_store(folder, "wenzhang", articles)
    talks = (r for y in YEARS for r in desk.year(y, CMS[y], scale))
    write_store(folder, "hudong", chain(talks, surveys(seed, organs)))
    write_store(folder, "fangwenliang", _traffic(rng, organs))
