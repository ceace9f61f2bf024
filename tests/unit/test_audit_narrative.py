"""Prose that agrees with the tables passes; one altered figure fails and is named."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.audit.document import Block, Document
from tasks.audit.result import AuditReport
from tasks.audit.run import check_report, of_document
from tests.audit_reports import FORMATS, FULL_WIDTH, STYLES, Figures, balanced, reports, told
from warehouse.form import load_layout
from warehouse.layout import Layout


def audited(
    layout: Layout, figures: Figures, prose: str, *, full_width: bool = False
) -> AuditReport:
    lines = FORMATS["text"][1](layout, figures).decode().splitlines()
    prose = prose.translate(FULL_WIDTH) if full_width else prose
    lines[2:2] = ["(二)依申请公开情况", *prose.split("\n")]
    return check_report(
        of_document(Document("report.txt", "text", tuple(Block(text=line) for line in lines)))
    )


@given(report=reports(), style=st.sampled_from(STYLES), full_width=st.booleans())
@settings(max_examples=30, deadline=None)
def test_prose_that_agrees_passes(
    report: tuple[Layout, Figures], style: str, full_width: bool
) -> None:
    layout, figures = report
    prose = style.format(year=layout.years.first + 1, **told(layout, figures))
    audit = audited(layout, figures, prose, full_width=full_width)
    assert [c.message for c in audit.checks if c.status in ("fail", "uncertain")] == []
    assert sum(1 for c in audit.checks if c.code == "B7") == style.count("{") - style.count(
        "{year}"
    )
    assert {c.key.split(".")[1] for c in audit.checks if c.code == "B10"} >= {
        "applicants",
        "outcomes",
    }


@given(report=reports(), style=st.sampled_from(STYLES), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_one_altered_figure_of_the_prose_fails(
    report: tuple[Layout, Figures], style: str, seed: int
) -> None:
    layout, figures = report
    draw = random.Random(seed)
    totals = told(layout, figures)
    name = draw.choice([n for n in totals if "{" + n + "}" in style])
    altered = totals[name] + draw.choice([1, 7, 30, 900])
    prose = style.format(year=layout.years.first + 1, **{**totals, name: altered})
    accepted = {
        "new_received": {totals["new_received"] + totals["carried_in"]},
        "natural": {
            figures["t3.results_total.natural_person"],
            totals["natural"] + figures["t3.carried_in.natural_person"],
        },
        "legal": {totals["results_total"] - figures["t3.results_total.natural_person"]},
        "results_total": {totals["new_received"], totals["new_received"] + totals["carried_in"]},
        "review": {totals["review"] - figures["t4.reconsideration.pending"]},
        "litigation": set(),
    }
    if altered in accepted.get(name, set()):
        return
    audit = audited(layout, figures, prose)
    named = [c for c in audit.fails if c.code == "B7"]
    assert [e.value for c in named for e in c.evidence[:1]] == [altered]


SHARES = [("占{p}%", 2), ("占比{p}%", 1), ("({p}%)", 2), (",占申请总数的{p}%", 0)]


@given(
    whole=st.integers(50, 9000),
    part=st.integers(1, 49),
    share=st.sampled_from(SHARES),
    cut=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_shares_rounded_or_cut_pass(
    whole: int, part: int, share: tuple[str, int], cut: bool
) -> None:
    words, decimals = share
    exact = Decimal(part * 100) / Decimal(whole)
    printed = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN if cut else ROUND_HALF_UP)
    prose = (
        f"全年收到政府信息公开申请{whole}件,其中部分公开{part}件" + words.format(p=printed) + "。"
    )
    document = Document("r.txt", "text", (Block(text=prose),))
    (check,) = [c for c in check_report(of_document(document)).checks if ".share." in c.key]
    assert check.status == "pass"
    assert ("截取" if cut else "四舍五入") in check.message
    wrong = prose.replace(f"{printed}%", f"{printed + Decimal(2).scaleb(-decimals)}%")
    document = Document("r.txt", "text", (Block(text=wrong),))
    (check,) = [c for c in check_report(of_document(document)).checks if ".share." in c.key]
    assert check.status == "fail"


@given(now=st.integers(20, 5000), before=st.integers(20, 5000))
@settings(max_examples=60, deadline=None)
def test_changes_with_their_base(now: int, before: int) -> None:
    exact = Decimal(abs(now - before) * 100) / Decimal(before)
    printed = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    way = "增长" if now >= before else "下降"
    for prose in (
        f"全年收到政府信息公开申请{now}件,同比{way}{printed}%。",
        f"全年收到政府信息公开申请{now}件,比上年{'增加' if now >= before else '减少'}{abs(now - before)}件,{way}{printed}%。",
    ):
        document = Document("r.txt", "text", (Block(text=prose),))
        (check,) = [c for c in check_report(of_document(document)).checks if ".change." in c.key]
        assert check.status in ("pass", "not_assessable"), check.message
        if "件,比上年" in prose:
            assert check.status == "pass"


NO_FIGURES = [
    "根据国办公开办函〔2019〕60号和国务院令第711号,本报告自2020年1月1日起至12月31日止。",
    "联系电话:0517-83515959,邮编:223002,工作时间上午09:00-12:00。",
    "2021-2025年,12345热线24小时值班,IPv6改造完成,5G应用3.0版。",
    "按照《条例》第三十六条第(一)项,在20个工作日内答复。",
    "1.加强组织领导。(2)完善制度。",
    "信息来源:本站 浏览次数:1024 粤ICP备05012345号",
]


@pytest.mark.parametrize("text", NO_FIGURES)
def test_dates_numbers_and_clutter_are_no_figures(text: str) -> None:
    report = of_document(Document("r.txt", "text", (Block(text=text),)))
    assert [f.quote for f in report.narrative.figures] == []


def test_what_is_not_understood_is_listed() -> None:
    report = of_document(
        Document("r.txt", "text", (Block(text="3721。"), Block(text="全年收到申请12件。")))
    )
    assert [f.is_understood for f in report.narrative.figures] == [False, True]


def test_pending_reviews_left_out_are_named() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(3))
    pending = figures["t4.reconsideration.pending"]
    stated = figures["t4.reconsideration.total"] - pending
    audit = audited(layout, figures, f"因政府信息公开被申请行政复议{stated}件。")
    (check,) = [c for c in audit.checks if c.code == "B7"]
    assert check.status == "uncertain"
    assert str(pending) in check.message


@pytest.mark.parametrize(
    ("sentence", "key"),
    [
        ("政府信息公开行政复议{}件", "t4.reconsideration.total"),
        ("政府信息公开行政复议案件若干,结案后未经复议直接起诉{}件", "t4.litigation_direct.total"),
        ("因政府信息公开复议后起诉{}件", "t4.litigation_after_reconsideration.total"),
        ("政府信息公开行政复议500件,其中维持{}件", "t4.reconsideration.upheld"),
        ("政府信息公开行政复议500件,被纠错{}件", "t4.reconsideration.corrected"),
        ("行政事业性收费{}万元", "t2.administrative_fee.amount_10k_yuan"),
        ("清理规范性文件,现行有效{}件", "t2.normative_document.in_force"),
        (
            "收到政府信息公开申请900件,自然人200件,科研机构{}件",
            "t3.new_received.research_institution",
        ),
        (
            "收到政府信息公开申请900件,法律服务机构2件,其他{}件",
            "t3.new_received.other_organization",
        ),
        ("收到政府信息公开申请900件,结转{}件到下年度", "t3.carried_out.total"),
    ],
)
def test_figures_are_compared_with_their_cells(sentence: str, key: str) -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    for value, holds in ((figures[key], True), (figures[key] + 3333, False)):
        audit = audited(layout, figures, f"2022年,{sentence.format(value)}。")
        checks = [
            c
            for c in audit.checks
            if c.code == "B7" and any(e.figure and e.figure.value == value for e in c.evidence)
        ]
        assert [c.status == "pass" for c in checks] == [holds]


def test_figures_in_ten_thousands_agree_by_the_digits_they_show() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    total = figures["t3.new_received.total"]
    for shown, status in (
        (Decimal(total).quantize(Decimal(100), ROUND_DOWN), "pass"),
        (Decimal(total + 400).quantize(Decimal(100), ROUND_DOWN), "fail"),
    ):
        audit = audited(layout, figures, f"2022年,共收到政府信息公开申请{shown / 10000}万件。")
        assert [c.status for c in audit.checks if c.code == "B7"] == [status]


# A sentence and what becomes of its checks of B10, by kind of check.
SENTENCES: list[tuple[str, dict[str, str]]] = [
    (
        "新收申请52,362件,上年结转1,530件;办结52,018件,其中予以公开18,273件(占35.1%),结转下年度1,874件。",
        {"closing": "pass", "share": "pass"},
    ),
    (
        "收到政府信息公开申请85件(其中:自然人80件、商业企业5件),较2021年增加20件,增幅30.77%。",
        {"change": "pass", "applicants": "pass"},
    ),
    (
        "收到政府信息公开申请58件,比2021年的45件增加13件,增长28.9%。",
        {"change": "pass", "difference": "pass"},
    ),
    (
        "收到政府信息公开申请58件,比2021年的45件增加13件,增长29.8%。",
        {"change": "fail", "difference": "pass"},
    ),
    (
        "收到政府信息公开申请58件,比上年(54件)增加13件,增长28.9%。",
        {"change": "fail", "difference": "fail"},
    ),
    (
        "收到政府信息公开申请1453件,公开966件、部分公开67件,分别占66.5%、4.6%。",
        {"share": "pass"},
    ),
    (
        "收到政府信息公开申请1000件,当面提交200件、网络提交500件、信函提交300件,分别占20%、50%和30%。",
        {"channels": "pass", "share": "pass"},
    ),
    ("收到政府信息公开申请1453件,公开966件、部分公开67件,分别占65.6%、6.4%。", {"share": "fail"}),
    (
        "当面提交200件、网络提交500件、信函提交900件,分别占12.5%、31.3%、56.3%。",
        {"share": "not_assessable"},
    ),
    ("发布信息100条、解读30篇,分别同比增长25%、50%。", {"change": "pass"}),
    (
        "新收申请5.23万件,上年结转1530件;办结5.2万件,其中予以公开1.83万件,占35.3%,结转下年度1874件。",
        {"closing": "not_assessable", "share": "not_assessable"},
    ),
    ("受理诉求18.6万件,已办结18.5万件,办理中1200件。", {"closed": "not_assessable"}),
    ("受理诉求18.6万件,已办结15.5万件,办理中1200件。", {"closed": "fail"}),
    (
        "共收到政府信息公开申请312件。其中,区政府本级收到申请98件,部门收到申请176件,街道收到申请38件。已答复305件,结转下年13件,上年结转6件。",
        {"parts": "pass", "closing": "pass"},
    ),
    (
        "共办理依申请公开件6件(含上年结转3件),其中5件按期答复,1件未收到补正材料。",
        {"parts": "pass", "closing": "not_assessable"},
    ),
    (
        "公开信息2698条,其中:工作动态1201条、通知公告251条、政策解读89条、征集调查16期、其他类信息1141条。",
        {"parts": "pass"},
    ),
    (
        "公开信息2700条,其中:工作动态1201条、通知公告251条、政策解读89条、征集调查16期、其他类信息1141条。",
        {"parts": "uncertain"},
    ),
    (
        "收到政府信息公开申请45件,转至次年办理1件。答复的44件中:公开25件(含部分公开4件),不予公开6件,无法提供9件,其他处理4件。",
        {"outcomes": "pass", "closing": "pass"},
    ),
    (
        "总署本级收到政府信息公开申请856件,直属机关收到申请2345件,全国合计3201件。其中自然人2890件,占90.28%,法人或其他组织311件,占9.72%。",
        {"applicants": "pass", "share": "pass", "total": "pass"},
    ),
    ("办理人大建议132件、政协提案158件,其中A类196件,B类58件,C类36件。", {"parts": "pass"}),
    (
        "政府信息公开申请共计10件,其中9件为自然人申请。其中3件予以公开,2件部分公开,5件为本机关不掌握。",
        {"outcomes": "pass"},
    ),
    (
        "受理政府信息公开申请102件(含上年结转5件),已办结98件,结转下年4件。其中网络申请80件、信函申请15件、当面申请2件。",
        {"closing": "pass", "channels": "pass"},
    ),
    ("受理政府信息公开申请102件(含上年结转5件),已办结98件,结转下年9件。", {"closing": "fail"}),
    (
        "共答复申请45件,予以公开20件;部分公开5件;不予公开5件;无法提供10件;不予处理3件;其他2件。",
        {"outcomes": "pass"},
    ),
    (
        "共答复申请45件,予以公开20件;部分公开5件;不予公开5件;无法提供10件;不予处理3件;其他4件。",
        {"outcomes": "fail"},
    ),
    (
        "公开信息1000条。其中:政策文件类100条,占10%;工作动态类800条,占80%;其他100条,占10%。",
        {"parts": "pass", "share": "pass"},
    ),
    ("公开信息1000条,其中政策文件类100条,工作动态类800条,其他130条。", {"parts": "fail"}),
    ("公开信息1000条,其中政策文件类100条,工作动态类800条。", {"parts": "uncertain"}),
    ("公开信息1000条,其中政策文件类1200条。", {"parts": "fail"}),
    ("办理人大建议45件、政协提案67件,共计112件。", {"total": "pass"}),
    (
        "依申请公开方面,受理申请211件,上年结转9件,共计221件,已答复208件,其余12件结转下一年度。",
        {"total": "fail", "closing": "pass"},
    ),
    (
        "共收到政府信息公开申请211件。其中当面申请11件、网络申请100件、信函申请100件。新收政府信息公开申请211件,上年结转9件。材料中征地类7件、其他204件。",
        {"channels": "pass"},
    ),
    ("收到网络留言30件,已办结25件,办理中5件。", {"closed": "pass"}),
    ("收到网络留言30件,已办结25件,办理中6件。", {"closed": "fail"}),
    ("政府信息公开行政复议12件(维持6件,撤销2件,终止2件,未审结2件)。", {"review": "pass"}),
    ("政府信息公开行政复议12件(维持6件,撤销2件,终止2件,未审结3件)。", {"review": "fail"}),
    ("共收到公民、法人和其他组织政府信息公开申请18件。", {}),
    ("网站访问量和微信关注数同比分别增长12%和15%。", {"change": "not_assessable"}),
    ("收到申请5件,同比增长33.33%。", {"change": "fail"}),
]


def _full_width(sentence: str) -> str:
    """As printed: full-width marks and digits, points and thousands half-width."""
    return re.sub(
        r"[0-9][0-9,.]*|.",
        lambda m: m[0] if "," in m[0][:-1] or "." in m[0] else m[0].translate(FULL_WIDTH),
        sentence,
    )


@pytest.mark.parametrize(("sentence", "outcome"), SENTENCES)
@pytest.mark.parametrize("written", [str, _full_width])
def test_sentences(sentence: str, outcome: dict[str, str], written: Callable[[str], str]) -> None:
    text = written("2022年," + sentence)
    report = check_report(of_document(Document("r.txt", "text", (Block(text=text),))))
    found: dict[str, set[str]] = {}
    for check in report.checks:
        if check.code == "B10":
            found.setdefault(check.key.split(".")[1], set()).add(check.status)
    assert found == {kind: {status} for kind, status in outcome.items()}


OTHER_MATTERS = [
    "受理低保申请300件,办结290件,其中予以批准280件。",
    "收到行政许可申请200件,全部办结。",
    "新增公开事项30项,新增政务新媒体账号3个。",
    "办件量200000件,其中自然人办件150000件,法人办件50000件。",
    "收到行政复议申请30件,上年结转复议案件3件,结转下年度4件。",
    "回复网民留言148件,其他来信12件。",
    "公众咨询政府信息公开申请事宜,现场咨询200人次、电话咨询500人次。",
]


@pytest.mark.parametrize("sentence", OTHER_MATTERS)
def test_figures_of_other_matters_are_not_compared_with_the_tables(sentence: str) -> None:
    layout = load_layout("2021")
    audit = audited(layout, balanced(layout, random.Random(9)), f"2022年,{sentence}")
    assert [c.message for c in audit.checks if c.code == "B7" and c.status == "fail"] == []


BESIDE_APPLICATIONS = [
    "全年发布信息2345条,其中政务动态1200条、其他1145条。",
    "受理投诉举报56件,办结50件。",
    "12345热线受理群众诉求5678件,办结5600件,正在办理78件,其中咨询类3000件、投诉类2000件、其他678件。",
    "市长信箱收到来信1200件,答复1180件,结转下年20件。",
    "新收政务公开咨询25件。",
    "建议提案办理中,A类34件,B类5件,其他2件。",
    "三类材料中,征地类120件、规划类30件、其他44件。",
    "回复网民留言148件,其他来信12件。",
    "抽查部门网站35家次,发现问题60个,其他问题5个。",
]


@pytest.mark.parametrize("sentence", BESIDE_APPLICATIONS)
@pytest.mark.parametrize("between", ["", "\n"])
def test_other_matters_beside_applications_are_none(sentence: str, between: str) -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    told_of = "2022年,共收到政府信息公开申请{}件,办结{}件,其中予以公开{}件,结转下年度{}件。"
    rows = ("new_received", "results_total", "granted", "carried_out")
    text = told_of.format(*(figures[f"t3.{row}.total"] for row in rows)) + between + sentence
    audit = audited(layout, figures, text)
    assert [c.message for c in audit.checks if c.code == "B7" and c.status != "pass"] == []
    assert audit.fails == []


def test_heading_opens_the_account_it_names() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    granted = figures["t3.granted.total"]
    for value, status in ((granted, "pass"), (granted + 1, "fail")):
        audit = audited(layout, figures, f"(二)依申请公开情况\n予以公开{value}件,均按期答复。")
        assert [c.status for c in audit.checks if c.code == "B7"] == [status]


def test_applications_under_their_heading_need_no_more_words() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    received = figures["t3.new_received.total"]
    for value, status in ((received, "pass"), (received + 2, "fail")):
        audit = audited(layout, figures, f"全市受理申请{value}件,均按期答复。")
        assert [c.status for c in audit.checks if c.code == "B7"] == [status]


def test_prose_and_equations_agree_that_the_table_is_wrong() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    right = figures["t4.reconsideration.total"]
    figures["t4.reconsideration.total"] = right + 1
    audit = audited(layout, figures, f"因政府信息公开被申请行政复议{right}件。")
    by_code = {c.code: c for c in audit.fails}
    assert set(by_code) == {"B4", "B7"}
    for check in by_code.values():
        first = check.suggestions[0]
        assert (first.cell, first.instead) == ("t4.reconsideration.total", right)
    assert "正文所写也是" in by_code["B4"].suggestions[0].text
    assert "疑表格写错" in by_code["B7"].suggestions[0].text


def test_wholes_that_only_the_tables_hold() -> None:
    layout = load_layout("2021")
    figures = balanced(layout, random.Random(9))
    closed, granted = figures["t3.results_total.total"], figures["t3.granted.total"]
    share = (Decimal(granted) / closed * 100).quantize(Decimal("0.01"))
    received = figures["t3.new_received.total"]
    text = f"2022年,收到政府信息公开申请{received}件,予以公开{granted}件,占{{}}%。"
    for printed, status in ((share, "pass"), (share + 1, "fail")):
        audit = audited(layout, figures, text.format(printed))
        assert [c.status for c in audit.checks if ".share." in c.key] == [status]


def test_figures_beside_words_of_clutter_are_kept() -> None:
    text = "全年收到传真5件、热线27549件,联系电话:0660-1234567。"
    report = of_document(Document("r.txt", "text", (Block(text=text),)))
    assert [f.value for f in report.narrative.figures] == [5, 27549]


def test_other_ways_of_submission_are_no_outcome() -> None:
    report = of_document(
        Document(
            "r.txt",
            "text",
            (
                Block(
                    text="收到政府信息公开申请17件,其中网络申请10件,信函申请5件,其他2件。予以公开17件。"
                ),
            ),
        )
    )
    assert [f.role for f in report.narrative.figures] == [
        "received",
        "channel",
        "channel",
        "channel",
        "granted",
    ]
