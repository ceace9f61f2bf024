"""Editions made by hand for the tests of rendering: one a layout, no lake behind them.

`edition_2020` counts 3,721 invented applications of 82 invented organs, so that the
published totals come out and the tables balance except for six records: four applications
without an applicant kind and two closed without an outcome. `edition_2025` carries the
figures of one published report in layout 2021.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from expectations.balance import check_value, evaluate
from tasks.editions.edition import CellValue, Edition, Finding, Organ, RecordReference, Series
from warehouse.form import form_of, load_layout
from warehouse.layout import Cell, Layout
from warehouse.period import Period

KINDS = {
    "natural_person": 2870,
    "commercial_enterprise": 611,
    "research_institution": 12,
    "public_welfare_organization": 38,
    "legal_service_organization": 143,
    "other_organization": 43,
    None: 4,
}
OUTCOMES = {
    "granted": 1298,
    "partially_granted": 20,
    "denied_law_prohibits": 1,
    "denied_third_party_rights": 3,
    "denied_internal_affairs": 2,
    "denied_process_information": 2,
    "denied_enforcement_file": 3,
    "denied_administrative_query": 1,
    "unavailable_not_held": 71,
    "unavailable_needs_creation": 12,
    "unavailable_unclear": 6,
    "unprocessed_petition": 2101,
    "unprocessed_repeat": 152,
    "unprocessed_publication": 3,
    "unprocessed_excessive": 21,
    "unprocessed_reconfirm": 9,
    "other": 9,
    None: 2,
}
CARRIED_IN = 15
CARRIED_OUT = 5

# key, label, unit, source, figure of 2020, figure of 2019, whether only the root has it
OVERVIEW: list[tuple[str, str, str, str, int, int | None, bool]] = [
    ("major_decisions", "年度重大行政决策事项", "项", "网站", 43, 39, True),
    ("normative_documents_abolished", "公布废止的市政府规范性文件", "件", "台账", 45, 12, True),
    ("pilot_fields", "试点领域基层政务公开事项标准目录", "个", "网站", 26, 26, True),
    ("one_thing_items", "“一件事”目录清单", "件", "网站", 103, None, True),
    ("yueshengshi_items", "“粤省事”服务事项", "项", "网站", 856, 641, True),
    ("intermediary_procurements", "网上中介超市采购", "宗", "网站", 2201, 1790, True),
    ("epidemic_column_items", "疫情防控专栏发布", "条", "网站", 2427, None, True),
    ("gazette_copies", "各级政府公报", "册", "台账", 24200, 23800, False),
    ("gazette_city_issues", "市政府公报(期)", "期", "台账", 12, 12, True),
    ("gazette_city_copies", "市政府公报(册)", "册", "台账", 18000, 18000, True),
    ("new_media_accounts", "年末保留政务新媒体", "个", "新媒体监测", 120, 171, False),
    ("disclosed_items", "累计主动公开政府信息", "条", "网站", 16193, 13207, False),
    ("key_field_items", "其中:重点领域信息", "条", "网站", 1626, 1410, False),
    ("portal_visits", "市政府门户网站访问量", "次", "网站", 6645864, 5120031, True),
    ("wechat_followers", "微信公众号关注人数", "人", "新媒体监测", 21983, 14370, True),
    ("wechat_posts", "微信公众号发布信息", "条", "新媒体监测", 2595, 747, True),
    ("online_inquiries", "网络问政受理", "条", "网站", 1257, 1033, True),
    ("online_inquiries_closed", "网络问政办结", "条", "网站", 1157, 1030, True),
    ("online_inquiries_open", "网络问政受理中", "条", "网站", 100, 3, True),
    ("hotline_calls", "12345 来电", "件", "热线", 216297, 180412, True),
    ("hotline_work_orders", "转派工单", "件", "热线", 27549, 20110, False),
    ("hotline_closed_on_time", "按时办结工单", "件", "热线", 24547, 17550, False),
    ("hotline_called_back", "成功回访工单", "件", "热线", 25012, 18100, False),
    ("hotline_satisfied", "回访满意工单", "件", "热线", 25007, 18002, False),
]
SNAPSHOT_TIME = datetime(2021, 1, 12, 2, 30)
BUILT_AT = datetime(2021, 1, 12, 9, 5)


@dataclass(frozen=True)
class Application:
    """An invented application."""

    record_id: str
    organ_id: str
    kind: str | None
    outcome: str | None
    is_new: bool
    is_open: bool
    received_on: date


def organs_2020() -> tuple[Organ, ...]:
    """A city with 6 counties and zones, 51 towns and 24 departments, all invented."""
    root = Organ("city", "海川市人民政府", "city", None)
    found = [root]
    counties = ["青湾区", "望潮县", "石桥市", "云岭县", "东屿经济开发区", "南洲管理区"]
    towns = [12, 14, 14, 7, 2, 2]
    for at, (name, count) in enumerate(zip(counties, towns, strict=True), 1):
        kind = "zone" if at > 4 else "county"
        found.append(Organ(f"c{at}", f"{name}{'' if kind == 'zone' else '人民政府'}", kind, "city"))
        found += [
            Organ(f"c{at}t{i:02d}", f"{name}第{i}镇人民政府", "town", f"c{at}", i % 5 != 0)
            for i in range(1, count + 1)
        ]
    departments = [
        "发展和改革",
        "教育",
        "科学技术",
        "工业和信息化",
        "公安",
        "民政",
        "司法",
        "财政",
        "人力资源和社会保障",
        "自然资源",
        "生态环境",
        "住房和城乡建设",
        "交通运输",
        "水务",
        "农业农村",
        "商务",
        "文化广电旅游体育",
        "卫生健康",
        "退役军人事务",
        "应急管理",
        "审计",
        "市场监督管理",
        "统计",
        "信访",
    ]
    found += [
        Organ(f"d{i:02d}", f"海川市{name}局", "department", "city")
        for i, name in enumerate(departments, 1)
    ]
    return tuple(found)


def applications_2020(organs: tuple[Organ, ...]) -> list[Application]:
    """3,721 applications with the published totals."""
    chance = random.Random(2020)
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    outcomes = [outcome for outcome, count in OUTCOMES.items() for _ in range(count)]
    ends = [(outcome, False) for outcome in outcomes] + [(None, True)] * CARRIED_OUT
    # The incomplete records stand apart, so that each of the six has exactly one defect.
    kinds, without_kind = kinds[:-4], kinds[-4:]
    chance.shuffle(kinds)
    complete = [e for e in ends if e[0] is not None or e[1]]
    incomplete = [e for e in ends if e[0] is None and not e[1]]
    chance.shuffle(complete)
    rows = list(zip(without_kind + kinds, complete[:4] + incomplete + complete[4:], strict=True))
    weights = [1 + 40 * chance.random() ** 4 for _ in organs]
    found = []
    for at, (kind, (outcome, is_open)) in enumerate(rows):
        carried = len(rows) - CARRIED_IN <= at and not is_open
        start = date(2019, 12, 20) if carried else date(2020, 1, 2)
        received = start + timedelta(days=chance.randrange(9 if carried else 360))
        organ = chance.choices(organs, weights)[0]
        found.append(
            Application(
                f"YSQ-2020-{at:05d}", organ.id, kind, outcome, not carried, is_open, received
            )
        )
    short = CARRIED_IN - sum(not a.is_new for a in found)
    for at, application in enumerate(found):
        if short and application.is_new and not application.is_open and application.kind and at > 9:
            found[at] = replace(application, is_new=False, received_on=date(2019, 12, 30))
            short -= 1
    return found


def overview_cells() -> dict[str, Cell]:
    """Figures of the narrative as a city's own file would declare them."""
    cells = [
        Cell(
            f"overview.{key}", "overview", key, "", label, unit=unit, source=source, only_root=only
        )
        for key, label, unit, source, _, _, only in OVERVIEW
    ]

    def of(key: str, label: str, **more: object) -> Cell:
        return Cell(f"overview.{key}", "overview", key, "", label, **more)  # type: ignore[arg-type]

    cells += [
        of("applications_received", "受理依申请公开", unit="件", source="台账",
           parts=("t3.new_received.total", "t3.carried_in.total")),
        of("applications_change", "受理依申请公开同比", unit="%", decimals=2, signed=True,
           source="台账", change_on_year="overview.applications_received"),
        of("granted_share", "予以公开占比", unit="%", decimals=2, source="台账",
           ratio=("t3.granted.total", "overview.applications_received")),
        of("unprocessed_share", "不予处理占比", unit="%", decimals=2, source="台账",
           ratio=("t3.unprocessed.total", "overview.applications_received")),
        of("hotline_on_time_rate", "按时办结率", unit="%", decimals=2, source="热线",
           meaning="分母为本年到期的工单",
           ratio=("overview.hotline_closed_on_time", "overview.hotline_work_orders")),
        of("hotline_satisfaction_rate", "群众满意率", unit="%", decimals=2, source="热线",
           meaning="分母为成功回访的工单",
           ratio=("overview.hotline_satisfied", "overview.hotline_called_back")),
    ]  # fmt: skip
    return {cell.key: cell for cell in cells}


def layout_2019() -> Layout:
    """Layout 2019 with the narrative figures."""
    layout = load_layout("2019")
    return replace(layout, cells={**layout.cells, **overview_cells()})


def application_figures(layout: Layout, rows: list[Application]) -> dict[str, CellValue]:
    """Table 三 counted from applications, derived subtotals included."""
    counted: Counter[str] = Counter()
    outcome_rows = {c.row for c in layout.printed("t3")}
    groups = ("denied", "unavailable", "unprocessed")
    for row in rows:
        lines = ["new_received" if row.is_new else "carried_in"]
        if row.is_open:
            lines.append("carried_out")
        else:
            lines.append("results_total")
            if row.outcome in outcome_rows:
                lines.append(str(row.outcome))
            lines += [g for g in groups if (row.outcome or "").startswith(g)]
        columns = ["total"]
        if row.kind:
            columns.append(row.kind)
            if row.kind != "natural_person":
                columns.append("legal_person")
        counted.update(f"t3.{line}.{column}" for line in lines for column in columns)
    return {
        key: CellValue(Decimal(counted[key]))
        for key, cell in layout.cells.items()
        if cell.table == "t3"
    }


def other_figures(layout: Layout, chance: random.Random) -> dict[str, CellValue]:
    """Tables 二 and 四 of one organ, balanced."""
    values: dict[str, Decimal] = {}
    for cell in layout.printed("t2"):
        size = chance.randrange(0, 60)
        values[cell.key] = Decimal(size)
        if cell.column == "change":
            values[cell.key] = Decimal(chance.randrange(-12, 9))
        if cell.column == "amount":
            values[cell.key] = Decimal(chance.randrange(0, 90_000_000)) / 100
    for row in ("regulation", "normative_document"):
        values[f"t2.{row}.total_disclosed"] = values[f"t2.{row}.newly_disclosed"] + 5
    for row in dict.fromkeys(cell.row for cell in layout.printed("t4")):
        parts = [chance.randrange(0, 3) for _ in range(4)]
        for column, part in zip(("upheld", "corrected", "other", "pending"), parts, strict=True):
            values[f"t4.{row}.{column}"] = Decimal(part)
        values[f"t4.{row}.total"] = Decimal(sum(parts))
    return {key: CellValue(value) for key, value in values.items()}


def narrative_figures(
    layout: Layout, figures: dict[str, CellValue], numbers: dict[str, int | None], last: int | None
) -> dict[str, CellValue]:
    """The overview: counts as given, sums and rates from them."""
    out = {
        f"overview.{key}": CellValue(None if value is None else Decimal(value))
        for key, value in numbers.items()
    }
    both = {**figures, **out}
    for key, cell in layout.cells.items():
        if cell.parts:
            total = sum((both[p].value or Decimal(0) for p in cell.parts), Decimal(0))
            out[key] = both[key] = CellValue(total)
    for key, cell in layout.cells.items():
        if cell.ratio:
            above, below = (both[k].value for k in cell.ratio)
            value = above / below * 100 if above is not None and below else None
            out[key] = CellValue(value, above, below)
        elif cell.change_on_year:
            now = both[cell.change_on_year].value
            before = None if last is None else Decimal(last)
            value = (now - before) / before * 100 if now is not None and before else None
            out[key] = CellValue(value, now, before)
    return out


def added(many: list[dict[str, CellValue]]) -> dict[str, CellValue]:
    """Figures added up key by key."""
    total: dict[str, Decimal] = {}
    for figures in many:
        for key, value in figures.items():
            total[key] = total.get(key, Decimal(0)) + (value.value or 0)
    return {key: CellValue(value) for key, value in total.items()}


def _below(organs: tuple[Organ, ...], organ_id: str) -> set[str]:
    found = {organ_id}
    for organ in organs:
        if organ.parent_id in found:
            found.add(organ.id)
    return found


def _findings(
    layout: Layout,
    organ: Organ,
    names: dict[str, str],
    figures: dict[str, CellValue],
    last: dict[str, CellValue],
    rows: list[Application],
) -> list[Finding]:
    values = {key: value.value for key, value in figures.items()}
    before = {key: value.value for key, value in last.items()}
    found = []
    for equation in layout.equations:
        result = evaluate(equation, values, before or None)
        behind = []
        line = result.key.rpartition(".")[2]
        if result.status == "fail" and result.code == "B3":
            behind = [
                (r, "未标明申请人类型")
                for r in rows
                if r.kind is None
                and (
                    (line in (r.outcome, "results_total") and not r.is_open)
                    or line == ("new_received" if r.is_new else "carried_in")
                )
            ]
        if result.status == "fail" and result.code == "B2":
            behind = [
                (r, "已办结但未标明办理结果")
                for r in rows
                if r.outcome is None and not r.is_open and line in (r.kind, "total")
            ]
        records = tuple(
            RecordReference(
                "core.application",
                "ledger",
                r.record_id,
                r.organ_id,
                names[r.organ_id],
                r.received_on,
                detail,
            )
            for r, detail in behind
        )
        found.append(
            Finding(
                code=result.code,
                key=result.key,
                organ_id=organ.id,
                organ_name=organ.name,
                severity="block" if result.code in ("B1", "B2", "B3", "B4") else "warn",
                status=result.status,
                message=result.message,
                equation=result.equation,
                gap=result.gap,
                records=records,
                record_count=len(records),
            )
        )
    if organ.parent_id is None:
        found.append(
            Finding(
                code="B10",
                key="B10.overview.disclosed_items",
                organ_id=organ.id,
                organ_name=organ.name,
                severity="warn",
                status="uncertain",
                message="累计主动公开 16193 条与所列各项之和 1840 不等:所列各项可能不是全部",
                equation="1626 + 1 + 195 + 1 + 14 + 3 = 1840",
                gap=Decimal(14353),
            )
        )
        found += [
            Finding(
                code=c.code,
                key=c.key,
                organ_id=organ.id,
                organ_name=organ.name,
                severity="block",
                status=c.status,
                message=c.message,
                equation=c.equation,
                gap=c.gap,
            )
            for c in (
                check_value(layout.cells[k], v) for k, v in values.items() if k in layout.cells
            )
        ]
    return found


@cache
def edition_2020() -> Edition:
    """Layout 2019, a city of 82 organs, the published totals of 2020, six open records."""
    layout, organs = layout_2019(), organs_2020()
    names = {organ.id: organ.name for organ in organs}
    rows = applications_2020(organs)
    chance = random.Random(7)
    own: dict[str, dict[str, CellValue]] = {}
    for organ in organs:
        figures = application_figures(layout, [r for r in rows if r.organ_id == organ.id])
        own[organ.id] = {**figures, **other_figures(layout, chance)}
    shares = [chance.random() ** 3 for _ in organs]
    cells: dict[tuple[str, str], dict[str, CellValue]] = {}
    local: dict[str, dict[str, int | None]] = {}
    for at, organ in enumerate(organs):
        local[organ.id] = {
            key: int(total * shares[at] / sum(shares))
            for key, _, _, _, total, _, only in OVERVIEW
            if not only
        }
    # What rounding left over belongs to the root itself, so that the parts add up.
    for key, _, _, _, total, _, only in OVERVIEW:
        if not only:
            local["city"][key] = total - sum(
                local[o.id][key] or 0 for o in organs if o.id != "city"
            )
    national = {key: total for key, _, _, _, total, _, _ in OVERVIEW}
    findings: list[Finding] = []
    last = application_figures(
        layout,
        [replace(r, is_open=at < CARRIED_IN) for at, r in enumerate(rows[10 : 10 + 1643])],
    )
    # Last year's carry-out by column is this year's carry-in, so that B5 holds.
    everything = application_figures(layout, rows)
    for column in dict.fromkeys(c.column for c in layout.cells.values() if c.table == "t3"):
        last[f"t3.carried_out.{column}"] = everything[f"t3.carried_in.{column}"]
        last[f"t3.carried_in.{column}"] = CellValue(Decimal(0))
    last["t3.new_received.total"] = CellValue(Decimal(1643))
    last |= narrative_figures(layout, last, {k: b for k, _, _, _, _, b, _ in OVERVIEW}, None)
    last |= {
        cell.key: CellValue(Decimal(chance.randrange(20, 4000))) for cell in layout.printed("t2")
    }
    for organ in organs:
        below = _below(organs, organ.id)
        rolled = added([own[i] for i in sorted(below)])
        numbers: dict[str, int | None] = (
            dict(national)
            if organ.parent_id is None
            else {key: sum(local[i][key] or 0 for i in below) for key in local[organ.id]}
        )
        before = 1643 if organ.parent_id is None else None
        rolled |= narrative_figures(layout, rolled, numbers, before)
        mine = own[organ.id] | narrative_figures(layout, own[organ.id], local[organ.id], None)
        cells[(organ.id, "own")] = mine
        cells[(organ.id, "rolled_up")] = rolled
        findings += _findings(
            layout,
            organ,
            names,
            rolled,
            last if organ.parent_id is None else {},
            [r for r in rows if r.organ_id in below],
        )
    return Edition(
        id="2020-1",
        number=1,
        status="pending",
        form=form_of(),
        period=Period.of_year(2020),
        layout=layout,
        snapshot=214,
        data_as_of=SNAPSHOT_TIME,
        built_at=BUILT_AT,
        cell_hash="3f5b9c0d7a1e4628b1f0a97cde55de6f0c1c8d7be8e0d6a5f4d2a3b1c9e8f701",
        definition_hash="b8a7c6d5e4f30211a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6",
        root=organs[0],
        organs=organs,
        cells=cells,  # type: ignore[arg-type]
        findings=tuple(findings),
        last_year=last,
        series=_series(organs, rows),
        is_synthetic=True,
    )


def _series(organs: tuple[Organ, ...], rows: list[Application]) -> tuple[Series, ...]:
    months = Counter(r.received_on.month for r in rows if r.is_new)
    by_organ = Counter(r.organ_id for r in rows)
    by_outcome = Counter((r.outcome or "").split("_")[0] for r in rows)
    labels = {
        "granted": "予以公开",
        "partially": "部分公开",
        "denied": "不予公开",
        "unavailable": "无法提供",
        "unprocessed": "不予处理",
        "other": "其他处理",
    }
    return (
        Series(
            "applications_by_month",
            "各月新收依申请公开",
            "件",
            tuple((f"{m}月", months[m], 60 + (m * 37) % 140) for m in range(1, 13)),
        ),
        Series(
            "applications_by_organ",
            "各机关收到依申请公开",
            "件",
            tuple(
                (o.name, by_organ[o.id], None)
                for o in sorted(organs, key=lambda o: (-by_organ[o.id], o.id))
            ),
        ),
        Series(
            "applications_by_outcome",
            "各类办理结果",
            "件",
            tuple((label, by_outcome[key], None) for key, label in labels.items()),
        ),
        Series(
            "hotline_by_month",
            "各月热线来电",
            "件",
            tuple((f"{m}月", 15000 + (m * 7919) % 6000, 14000 + m * 130) for m in range(1, 13)),
        ),
    )


TABLE_2 = {
    "t2.regulation.issued": "3",
    "t2.regulation.abolished": "5",
    "t2.regulation.in_force": "74",
    "t2.normative_document.issued": "564",
    "t2.normative_document.abolished": "984",
    "t2.normative_document.in_force": "4185",
    "t2.administrative_license.decisions": "11398889",
    "t2.administrative_penalty.decisions": "6937489",
    "t2.administrative_coercion.decisions": "166105",
    "t2.administrative_fee.amount_10k_yuan": "316441",
}
TABLE_3 = """
13612 252 0 45 128 32 14069
535 6 0 1 18 0 560
5345 129 0 41 19 14 5548
2120 39 0 1 6 2 2168
13 0 0 0 0 0 13
30 0 0 0 0 0 30
11 0 0 0 0 0 11
49 2 0 0 0 0 51
103 1 0 0 0 0 104
84 1 0 0 0 0 85
282 4 0 0 0 0 286
147 0 0 0 1 2 150
3075 50 0 0 89 8 3222
177 3 0 0 0 0 180
19 0 0 0 0 0 19
199 1 0 0 3 0 203
147 1 0 0 0 0 148
0 0 0 0 0 0 0
100 1 0 0 0 0 101
5 0 0 0 0 0 5
315 3 0 0 0 0 318
202 0 0 1 0 0 203
941 17 0 1 3 3 965
13364 252 0 44 121 29 13810
783 6 0 2 25 3 819
"""
TABLE_4 = "376 97 196 121 790 16 1 12 27 56 74 1 30 51 156"


@cache
def edition_2025() -> Edition:
    """Layout 2021 with one published report's figures; one organ, no year before."""
    layout = load_layout("2021")
    figures = {key: CellValue(Decimal(value)) for key, value in TABLE_2.items()}
    for table, numbers in (("t3", TABLE_3.split()), ("t4", TABLE_4.split())):
        printed = layout.printed(table)
        assert len(printed) == len(numbers)
        figures |= {
            cell.key: CellValue(Decimal(n)) for cell, n in zip(printed, numbers, strict=True)
        }
    root = Organ("city", "测试市人民政府", "city", None)
    findings = _findings(layout, root, {}, figures, {}, [])
    return Edition(
        id="2025-2",
        number=2,
        status="published",
        form=form_of(),
        period=Period.of_year(2025),
        layout=layout,
        snapshot=9,
        data_as_of=datetime(2026, 1, 20, 3, 0),
        built_at=datetime(2026, 1, 20, 10, 0),
        cell_hash="0" * 64,
        definition_hash="1" * 64,
        root=root,
        organs=(root,),
        cells={("city", "own"): figures, ("city", "rolled_up"): figures},
        findings=tuple(f for f in findings if f.code != "B10"),
        reason="更正第 1 版中行政许可数量",
    )
