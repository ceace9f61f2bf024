"""The ledger's other books: documents, powers, decisions, fees, procurement, gazette, cases."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from deployments.demo_city.service.applications import Application
from deployments.demo_city.service.moments import YEARS, DayDraw, until_present
from deployments.demo_city.service.organs import REFORM, ROOT, Organ, OrganDraw, Organs
from deployments.demo_city.service.totals import (
    DOCUMENTS,
    GAZETTES,
    INFORMATION_FEES,
    PROCUREMENTS,
    REVIEWS,
    DocumentYear,
    scaled,
)
from deployments.demo_city.service.workdays import add_working_days


@dataclass
class Document:
    organ_id: str
    kind: str
    issued: date
    disclosed: date
    abolished: date | None = None
    title: str = ""
    number: str = ""


@dataclass
class Item:
    item_id: str
    organ_id: str
    kind: str
    name: str
    valid_from: date
    valid_to: date | None = None


@dataclass
class Dated:
    """A record with an organ, a kind, a day, and a number: a return, a fee, a contract, an issue."""

    organ_id: str
    kind: str
    day: date
    count: int
    item_id: str | None = None
    name: str = ""


@dataclass
class Review:
    organ_id: str
    kind: str
    application_id: str
    accepted: date
    closed: date | None
    outcome: str | None


_SUBJECTS = (
    "城市公共停车场", "农村宅基地审批", "海域使用", "渔港渔船安全", "住房公积金缴存", "物业服务",
    "历史建筑保护", "公共资源交易", "科技创新券", "招商引资奖励", "学前教育普惠", "医疗救助",
    "城乡居民基本养老保险", "污水处理费征收", "建筑垃圾处置", "户外广告设置", "消防安全责任",
    "食品小作坊登记", "烟花爆竹燃放", "征地补偿安置", "人才住房保障", "政务数据共享", "河湖长制",
    "旅游民宿", "电动自行车通行", "应急物资储备", "工程建设项目审批", "企业上市扶持",
)  # fmt: skip
_FORMS = ("管理办法", "实施细则", "若干规定", "暂行办法", "实施意见", "工作方案", "管理规定")
_ITEM_NAMES = {
    "XK": ("许可", "核准", "审批"),
    "FW": ("服务", "备案", "确认"),
    "CF": ("违法行为的处罚",),
    "QZ": ("查封扣押", "代履行"),
    "SF": ("收费",),
}


@dataclass
class Books:
    """Everything in the ledger but the applications."""

    documents: list[Document] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    actions: list[Dated] = field(default_factory=list)
    fees: list[Dated] = field(default_factory=list)
    procurements: list[Dated] = field(default_factory=list)
    gazettes: list[Dated] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)


def keep_books(seed: int, organs: Organs, scale: float, applications: list[Application]) -> Books:
    """Generate the books. Amounts are in fen, so that sums stay exact."""
    books = Books()
    _documents(Random(f"{seed}/documents"), organs, books)
    _items(Random(f"{seed}/items"), organs, scale, books)
    _actions(Random(f"{seed}/actions"), organs, scale, books)
    _fees(Random(f"{seed}/fees"), organs, scale, books)
    _procurements(Random(f"{seed}/procurements"), organs, scale, books)
    _gazettes(books)
    _reviews(Random(f"{seed}/reviews"), organs, books, applications)
    return books


def _document_weight(organ: Organ) -> float:
    if organ.valid_to or organ.kind == "township":
        return 0
    if organ.kind == "city":
        return 30
    return 9 if organ.kind in ("county", "functional_zone") else (2 if organ.of_city else 0.5)


def _documents(rng: Random, organs: Organs, books: Books) -> None:
    draw = OrganDraw(organs, rng, _document_weight)
    lasting = [o for o in organs.lasting() if _document_weight(o) > 0]
    weights = [_document_weight(o) for o in lasting]

    def add(organ_id: str, kind: str, disclosed: date, delay: int) -> None:
        issued = add_working_days(disclosed, -delay) if disclosed >= date(2018, 6, 1) else disclosed
        organ = organs.on(organ_id, issued)
        topic = f"{rng.choice(_SUBJECTS)}{rng.choice(_FORMS)}"
        area = organ.name.removesuffix("人民政府").removesuffix("管理委员会")
        books.documents.append(
            Document(organ_id, kind, issued, disclosed, None, f"{area}{topic}", "")
        )

    for _ in range(190):
        add(ROOT, "GFXWJ", date(rng.randint(2009, 2018), rng.randint(1, 12), rng.randint(1, 28)), 0)
    for organ in rng.choices(lasting, weights, k=640):
        day = date(rng.randint(2009, 2018), rng.randint(1, 12), rng.randint(1, 28))
        add(organ.organ_id, "GFXWJ", day, 0)
    for year in (2016, 2017, 2018):
        add(ROOT, "GZ", date(year, 9, 20), 0)
    stock = [d for d in books.documents if d.kind == "GFXWJ"]
    rng.shuffle(stock)
    for year, wanted in DOCUMENTS.items():
        _documents_of_year(rng, draw, stock, add, year, wanted)
    _number_documents(books)


def _documents_of_year(
    rng: Random,
    draw: OrganDraw,
    stock: list[Document],
    add: Callable[[str, str, date, int], None],
    year: int,
    wanted: DocumentYear,
) -> None:
    """What a year brings: documents disclosed, regulations, and what is abolished."""
    days = DayDraw(rng, date(year, 1, 8), date(year, 12, 24), 0.0)
    for day in days.many(wanted.normative_disclosed):
        organ = draw.pick(day)
        delay = rng.randint(0, 12)
        if organ.valid_from == REFORM and add_working_days(day, -delay) < REFORM:
            delay = 0
        add(organ.organ_id, "GFXWJ", day, delay)
    for _ in range(wanted.regulations_disclosed):
        add(ROOT, "GZ", add_working_days(date(year, 7, 10), 0), 6)
    of_city = [d for d in stock if d.organ_id == ROOT and d.abolished is None]
    of_others = [d for d in stock if d.organ_id != ROOT and d.abolished is None]
    for document in of_city[: wanted.abolished_by_city] + of_others[: wanted.abolished_by_others]:
        document.abolished = date(year, rng.randint(2, 11), rng.randint(1, 28))


def _number_documents(books: Books) -> None:
    """Document numbers in the order of issue, by organ and year."""
    numbers: dict[tuple[str, int], int] = {}
    books.documents.sort(key=lambda d: (d.issued, d.disclosed, d.organ_id, d.title))
    for document in books.documents:
        place = (document.organ_id, document.issued.year)
        numbers[place] = numbers.get(place, 0) + 1
        mark = (
            "汕府令" if document.kind == "GZ" else ("汕府规" if document.organ_id == ROOT else "规")
        )
        document.number = f"{mark}〔{document.issued.year}〕{numbers[place]}号"
        if document.organ_id != ROOT:
            document.number = f"{document.organ_id}{document.number}"


def _item_counts(organ: Organ, rng: Random) -> dict[str, int]:
    if organ.kind == "department" and organ.of_city:
        ranges = {"XK": (8, 30), "FW": (6, 20), "CF": (20, 90), "QZ": (1, 9), "SF": (0, 4)}
    elif organ.kind == "department":
        ranges = {"XK": (5, 15), "FW": (4, 10), "CF": (15, 50), "QZ": (1, 5), "SF": (0, 2)}
    elif organ.kind == "township":
        ranges = {"XK": (1, 4), "FW": (4, 10), "CF": (2, 8), "QZ": (0, 2), "SF": (0, 0)}
    else:
        ranges = {"XK": (0, 2), "FW": (1, 5), "CF": (0, 0), "QZ": (0, 1), "SF": (0, 0)}
    return {kind: rng.randint(low, high) for kind, (low, high) in ranges.items()}


def _items(rng: Random, organs: Organs, scale: float, books: Books) -> None:
    """Lists of powers."""

    def add(organ_id: str, kind: str, name: str, first: date, last: date | None) -> None:
        number = f"QL{len(books.items) + 1:06d}"
        books.items.append(Item(number, organ_id, kind, name, first, last))

    _items_from_the_start(rng, organs, scale, add)
    _items_of_the_years(rng, books, add)


def _items_from_the_start(
    rng: Random,
    organs: Organs,
    scale: float,
    add: Callable[[str, str, str, date, date | None], None],
) -> None:
    """Lists as they stood at first; the reform ends the abolished organs' items, and their
    successors take them over."""
    inherited: dict[str, list[tuple[str, str]]] = {}
    for organ_id in sorted(organs.ids, key=lambda o: (organs.ended_on(o) is None, o)):
        ended = organs.ended_on(organ_id)
        organ = organs.on(organ_id, date(2021, 12, 31))
        begins = organs.existed_from(organ_id)
        if begins == REFORM and organ_id in inherited:
            for kind, name in inherited[organ_id]:
                add(organ_id, kind, name, REFORM, None)
            continue
        for kind, count in _item_counts(organ, rng).items():
            for n in range(scaled(count, scale)):
                subject = rng.choice(_SUBJECTS)
                name = f"{subject}{rng.choice(_ITEM_NAMES[kind])}({n + 1})"
                first = (
                    REFORM
                    if begins == REFORM
                    else date(rng.randint(2015, 2018), rng.randint(1, 12), rng.randint(1, 28))
                )
                add(organ_id, kind, name, first, REFORM if ended else None)
                if ended:
                    inherited.setdefault(organ.successor, []).append((kind, name))


def _items_of_the_years(
    rng: Random, books: Books, add: Callable[[str, str, str, date, date | None], None]
) -> None:
    """Items that each year abolishes and adds."""
    for year in YEARS:
        standing = [
            i for i in books.items if i.valid_to is None and i.valid_from < date(year, 1, 1)
        ]
        for item in rng.sample(standing, scaled(round(len(standing) * 0.02), 1.0)):
            item.valid_to = date(year, rng.randint(2, 11), rng.randint(1, 28))
        for item in rng.sample(standing, scaled(round(len(standing) * 0.024), 1.0)):
            month = rng.randint(5, 11) if year == 2019 else rng.randint(2, 11)
            add(
                item.organ_id,
                item.kind,
                f"{item.name[:-1]}·{year}年增)",
                date(year, month, 15),
                None,
            )


def _months(organs: Organs, organ_id: str) -> list[date]:
    """The month ends of the three years on which an organ is valid."""
    ends = [date(y, m, monthrange(y, m)[1]) for y in YEARS for m in range(1, 13)]
    return [day for day in ends if organs.on(organ_id, day).is_valid(day)]


def _in_force(item: Item, day: date) -> bool:
    return item.valid_from <= day.replace(day=1) and (item.valid_to is None or item.valid_to > day)


def _actions(rng: Random, organs: Organs, scale: float, books: Books) -> None:
    """Monthly returns of decisions; licences and services by item, the rest by kind."""
    means = {"XK": 46.0, "FW": 60.0, "CF": 17.0, "QZ": 3.0}
    lists: dict[tuple[str, str], list[Item]] = {}
    for item in books.items:
        lists.setdefault((item.organ_id, item.kind), []).append(item)
    share = 1.0 if scale >= 1 else max(0.03, scale)
    for (organ_id, kind), items in lists.items():
        if kind not in means:
            continue
        for day in _months(organs, organ_id):
            if rng.random() >= share:
                continue
            count = int(rng.expovariate(1 / means[kind]))
            if count == 0:
                continue
            named = next((i for i in items if _in_force(i, day)), None)
            item_id = named.item_id if named and kind in ("XK", "FW") else None
            books.actions.append(Dated(organ_id, kind, day, count, item_id))


def _fees(rng: Random, organs: Organs, scale: float, books: Books) -> None:
    share = 1.0 if scale >= 1 else max(0.05, scale)
    for item in [i for i in books.items if i.kind == "SF"]:
        for day in _months(organs, item.organ_id):
            if _in_force(item, day) and rng.random() < share:
                fen = int(rng.lognormvariate(13.6, 1.0))
                books.fees.append(Dated(item.organ_id, "XZSYXSF", day, fen, item.item_id))
    chargers = [o for o in organs.lasting() if o.has_system and o.kind in ("city", "county")]
    for year, count in INFORMATION_FEES.items():
        for _ in range(count):
            day = add_working_days(date(year, rng.randint(2, 11), rng.randint(1, 28)), 0)
            organ = rng.choice(chargers)
            books.fees.append(Dated(organ.organ_id, "XXCLF", day, rng.randint(4, 60) * 1000))


def _procurements(rng: Random, organs: Organs, scale: float, books: Books) -> None:
    def weight(organ: Organ) -> float:
        return 0 if organ.valid_to else (0.4 if organ.kind == "township" else 2)

    draw = OrganDraw(organs, rng, weight)
    goods = (
        "办公设备",
        "物业管理服务",
        "信息化运维服务",
        "公务用车",
        "消防器材",
        "印刷服务",
        "医疗设备",
    )
    for year, count in PROCUREMENTS.items():
        for day in DayDraw(rng, date(year, 1, 4), date(year, 12, 29), 0.0).many(
            scaled(count, scale)
        ):
            organ = draw.pick(day)
            name = f"{organ.name}{rng.choice(goods)}采购项目"
            fen = int(rng.lognormvariate(17.2, 1.1))
            books.procurements.append(Dated(organ.organ_id, "", day, fen, None, name))


def _gazettes(books: Books) -> None:
    names = {ROOT: "汕尾市人民政府公报", "441521": "海丰县人民政府公报"}
    names |= {"441581": "陆丰市人民政府公报", "441523": "陆河县人民政府公报"}
    for year, series in GAZETTES.items():
        for organ_id, (issues, copies) in series.items():
            for issue in range(1, issues + 1):
                month = issue * 12 // issues
                day = date(year, month, 25)
                books.gazettes.append(
                    Dated(organ_id, str(issue), day, copies, None, names[organ_id])
                )


def _reviews(rng: Random, organs: Organs, books: Books, applications: list[Application]) -> None:
    outcomes = {"FY": (62, 18, 20), "SSZJ": (70, 12, 18), "SSFY": (78, 8, 14)}
    for year, count in REVIEWS.items():
        answered = [
            a
            for a in applications
            if a.closed and a.organ.has_system and a.organ.valid_to is None and a.outcome
            and date(year, 1, 5) <= a.closed <= date(year, 10, 20)
        ]  # fmt: skip
        for application in rng.choices(answered, k=count):
            if application.closed is None:
                continue
            kind = rng.choices(("FY", "SSZJ", "SSFY"), (64, 20, 16))[0]
            wait = rng.randint(70, 150) if kind == "SSFY" else rng.randint(6, 58)
            accepted = add_working_days(application.closed + timedelta(days=wait), 0)
            if accepted.year != year:
                accepted = add_working_days(date(year, 12, 28), 0)
            last = rng.randint(35, 88) if kind == "FY" else rng.randint(60, 190)
            closed = until_present(add_working_days(accepted + timedelta(days=last), 0))
            outcome = rng.choices(("WC", "JZ", "QT"), outcomes[kind])[0] if closed else None
            books.reviews.append(
                Review(
                    application.organ.organ_id, kind, application.application_id, accepted, closed,
                    outcome,
                )
            )  # fmt: skip
