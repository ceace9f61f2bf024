"""Kinds of sentences that an audit once misread, each with what must come out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tasks.audit.document import Block, Document
from tasks.audit.numerals import chinese_number
from tasks.audit.result import AuditReport, as_json
from tasks.audit.run import check_report, of_document
from tasks.audit.split import split_reports


def audited(*lines: str) -> AuditReport:
    text = ("甲县2023年政府信息公开工作年度报告", "一、总体情况", *lines)
    document = Document("r.txt", "text", tuple(Block(text=line) for line in text))
    return check_report(of_document(document))


def verdicts(report: AuditReport) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for check in report.checks:
        if check.code == "B10":
            kind = check.key.split(".")[1]
            found.setdefault(kind, set()).add(check.status)
    return found


NO_FIGURES = [
    "统计期限为2023年1月1日至2023年12月31日。",
    "统计期限自2020年1月1日起至202020年12月31日止。",
    "自2021年3月起至5月20日,2019—2022年期间。",
    "咨询电话为85381955,传真:0531-86912345转8001。",
    "地址:甲县城关镇丰庆路39号2120室,人民路8号院3号楼501室。",
    "行政中心C座515室(邮编:242000)。",
    "一次性告知,从三个方面推进五公开,确保三公经费公开。",
    "政务公开平台2.0版,每月编发20-30条,每周3至5条。",
    "近3年来,在10个工作日内,7月底前办结。",
    "见规范性文件[1],注2:下同。",
    "地址:北京市西城区白广路二条2号,全年365天24小时在线。",
    "较上年又前进了三名,文件一式三份送档案馆。",
    '广泛宣传"创业富民30条"等政策,拨打12320卫生热线。',
    "1.2023年认真落实。2、加强管理。(3)完善制度。",
]


@pytest.mark.parametrize("text", NO_FIGURES)
def test_what_is_no_figure(text: str) -> None:
    assert [f.quote for f in audited(text).narrative.figures] == []


VALUES = [
    ("访问量2000余万人次", 20_000_000, "人次", "余"),
    ("阅读量达100余万次", 1_000_000, "次", "余"),
    ("播放3.5亿次", 350_000_000, "次", "亿"),
    ("访问约12万余次", 120_000, "次", "约余"),
    ("查阅1600多份", 1600, "份", "多"),
    ("赠阅近2万本", 20_000, "本", "近"),
    ("参加500人以上", 500, "人", "以上"),
    ("阅读量10万+次", 100_000, "", "+"),
    ("举办培训二十余场", 20, "场", "余"),
    ("收到申请三件", 3, "件", ""),
    ("公开信息一百零五条", 105, "条", ""),
    ("阅读量达万余人次", 10_000, "人次", "余"),
    ("公開政府信息１，２００條", 1200, "条", ""),
    ("共收到申請12件", 12, "件", ""),
    ("公开信息１２３４条", 1234, "条", ""),
    ("收到申请12", 12, "", ""),
]


@pytest.mark.parametrize(("text", "value", "unit", "about"), VALUES)
def test_values_as_written(text: str, value: int, unit: str, about: str) -> None:
    (figure,) = audited(text + "。").narrative.figures
    assert (figure.value, figure.about) == (Decimal(value), about)
    assert figure.unit in (unit, "")


def test_approximate_figures_are_marked_in_the_json() -> None:
    (told,) = as_json(audited("全年网站访问量2000余万人次。"))["narrative"]
    assert (told["value"], told["unit"], told["approximate"]) == (20_000_000, "人次", "余")


@pytest.mark.parametrize(
    ("text", "value"),
    [("三", 3), ("十", 10), ("二十一", 21), ("两百", 200), ("三百零五", 305), ("一万二千", 12000), ("三五", None), ("十百", None)],
)  # fmt: skip
def test_chinese_numbers(text: str, value: int | None) -> None:
    assert chinese_number(text) == value


# Sentence, then what becomes of its checks by kind.
SENTENCES: list[tuple[str, dict[str, str]]] = [
    # What came new leaves out what was carried in.
    ("新收到依申请公开政府信息78件，上年结转3件。答复75件，结转下年度继续办理3件。", {"closing": "fail"}),
    ("新收到依申请公开政府信息78件，上年结转3件。答复78件，结转下年度继续办理3件。", {"closing": "pass"}),
    ("新受理政府信息公开申请40件,上年结转2件。予以公开20件,部分公开8件,不予公开4件,无法提供5件,不予处理2件,其他处理1件,结转下年0件。", {"outcomes": "fail"}),
    # A base that the text prints is the base.
    ("2022年收到政府信息公开申请80件，2023年收到100件，同比增长30%。", {"change": "fail"}),
    ("2022年收到政府信息公开申请80件，2023年收到100件，同比增长25%。", {"change": "pass"}),
    ("收到政府信息公开申请由上年的80件增加到100件，增长20%。", {"change": "fail"}),
    ("2022年收到申请40件,2023年收到申请100件,是2022年的2.5倍。", {"multiple": "pass"}),
    ("2022年收到申请40件,2023年收到申请100件,增长1.5倍。", {"change": "pass"}),
    ("2022年收到申请40件,2023年收到申请100件,增长2.5倍。", {"change": "fail"}),
    # The choice of the whole.
    ("办理政府信息公开申请21件。其中，网络申请14件，书面申请9件。", {"channels": "fail"}),
    ("办理政府信息公开申请23件。其中，网络申请14件，书面申请9件。", {"channels": "pass"}),
    ("对25件申请收取了信息处理费2950元。其中，甲局1件，收取420元；乙镇2件，收取290元；公安局15件，收取1600元；丙镇1件，收取140元；丁镇6件，收取600元。", {"parts": "pass fail"}),
    ("对25件申请收取了信息处理费3050元。其中，甲局1件，收取420元；乙镇2件，收取290元；公安局15件，收取1600元；丙镇1件，收取140元；丁镇6件，收取600元。", {"parts": "pass"}),
    ("发布信息846条，公开文件24份，其中，制发规范性文件1份；共发布272项办税指南，推出165项清单。", {"parts": "pass"}),
    ("通过政务新媒体公开政府信息2808条，通过其他方式公开政府信息54条。其中，微信公众号发布1205条、微博12984条。", {"parts": "uncertain"}),
    ("通过政务新媒体公开政府信息2808条，通过其他方式公开政府信息54条。其中，微信公众号发布1205条、微博1603条。", {"parts": "pass"}),
    ("共收办政府信息公开申请案件360件（县政府49件、县各部门93件、乙镇77件、丙镇31件、丁镇100件）。", {"parts": "uncertain"}),
    ("共收办政府信息公开申请案件350件（县政府49件、县各部门93件、乙镇77件、丙镇31件、丁镇100件）。", {"parts": "pass"}),
    ("完成政府信息依申请公开答复145件，包括上年结转3件。其中，予以公开答复96件；部分公开7；不予公开8件；无法提供18件；不予处理7件；其他处理9件。", {"outcomes": "pass"}),
    ("完成政府信息依申请公开答复145件，包括上年结转3件。其中，予以公开答复96件；部分公开8；不予公开8件；无法提供18件；不予处理7件；其他处理9件。", {"outcomes": "fail"}),
    ("主动公开政府信息60条，其中政务动态类35条，占58%，履职依据类5条，占0.08%。", {"parts": "uncertain", "share": "pass fail"}),
    ("主动公开政务信息共217条。我镇公开的渠道包括网站和微信等，其中，门户网站公开125条，微信公众号公开92条。", {"parts": "pass"}),
    # A list goes on over a comma only where nothing stronger ends it: 5 is no further part of 100.
    ("公开信息100条，其中政策60条、动态40条，另发布视频5条。", {"parts": "pass"}),
    ("公开信息100条，其中政策60条、动态40条、视频5条。", {"parts": "uncertain"}),
    # What a list in a bracket counts in another unit does not end it.
    ("发布各类信息17249条(其中:网站15631条,公报59条,微博370条,微信269次1189条)。", {"parts": "pass"}),
    # 其他 in the middle of a list ends nothing.
    ("网站公开信息225条(包括动态125条,解读5条,规范性文件3条,其他文件19条,财政25条,规划5条,服务2条,提案41条)。", {"parts": "pass"}),
    # A former value is no whole, and its counterpart may be another amount.
    ("版块由原来的8个增加到现在的16个。其中，新增政务栏目4个，服务栏目2个，互动栏目2个。", {"parts": "uncertain"}),
    ("信息发布量由2022年的1128条增加到2023年的1887条,另发布514条,总计2401条,是2022年信息发布总量的1.5倍。", {"multiple": "uncertain", "total": "pass"}),
    # The nearest whole is the one that channels and shares speak of.
    ("受理依申请公开事项59件，结转上年后新收到依申请公开事项47件。其中，通过信函申请39件，占83%；电子邮件7件，占14.9%；在线申请1件，占2.1%。", {"channels": "pass", "share": "pass"}),
    # Carried in is said apart, so it adds: a reading in which it does not is doubtful.
    ("收到依申请公开件30件，上年度结转办理件1件，共办结24件，结转到2024年办理7件。", {"closing": "pass"}),
    ("收到依申请公开件30件，上年度结转办理件1件，共办结24件，结转到2024年办理6件。", {"closing": "uncertain"}),
    ("收到依申请公开件30件(含上年结转1件)，共办结24件，结转到2024年办理6件。", {"closing": "pass"}),
    # Rates that follow from printed figures.
    ("收到留言30件,已办结25件,办结率83.33%。", {"rate": "pass"}),
    ("收到留言30件,已办结25件,办结率90%。", {"rate": "fail"}),
    ("收到申请10件,答复9件,答复率90%。", {"rate": "pass"}),
    ("收到申请10件,答复9件,答复率95%。", {"rate": "fail"}),
    # What the text calls 余 or 约 is compared as such.
    ("主动公开信息1600多条，其中政策800余条，其他700余条。", {"parts": "pass"}),
    ("主动公开信息1600多条，其中政策2800余条。", {"parts": "fail"}),
    ("主动公开信息1000条，其中政策800余条。", {"parts": "pass"}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "outcome"), SENTENCES)
def test_sentences(sentence: str, outcome: dict[str, str]) -> None:
    found = verdicts(audited("(一)情况。" + sentence))
    assert found == {kind: set(statuses.split()) for kind, statuses in outcome.items()}


def test_a_part_is_no_account_of_the_whole() -> None:
    report = audited("全年发布政策解读32篇，其中视频解读8篇、图文解读24篇。")
    told = {n["value"]: n["meaning"] for n in as_json(report)["narrative"]}
    assert told == {32: "overview.interpretations", 8: "其中政策解读", 24: "其中政策解读"}


def test_what_stands_beside_decides_the_meaning() -> None:
    report = audited(
        "“甲县发布”微信订阅号发布各类信息722条。通过“甲县政府网”发布政务动态信息2476条。",
        "办理人大代表建议1件、政协提案2件，答复率、满意率均为100%。",
        "微信公众号关注人数1234人,微博粉丝555人。",
    )
    meanings = {n["value"]: n["meaning"] for n in as_json(report)["narrative"]}
    assert not {meanings[722], meanings[2476]} & {
        "overview.wechat_followers",
        "overview.wechat_posts",
    }
    assert meanings[100] != "overview.hotline_satisfaction_rate"
    assert meanings[1234] == "overview.wechat_followers"
    assert meanings[555] != "overview.wechat_followers"


@pytest.mark.parametrize(
    ("lines", "organ"),
    [
        (["本年度报告根据《甲县人民政府办公室关于做好2023年度政府信息公开年度报告编制公布工作的通知》要求，结合我镇实际编制而成。"], ""),
        (["如有疑问，请与乙镇人民政府办公室联系(电话:0531-86912345)。", "2023年"], "乙镇人民政府"),
        (["特向社会公布2023年度政府信息公开年度报告。请与丁市公安局(地址:红旗路36号;邮编:266700)联系。"], "丁市公安局"),
        (["现将我镇2021年政府信息公开工作年度报告公布如下。如有疑问，请联系:戊镇人民政府党政办。"], "戊镇人民政府"),
        (["2023年，我局认真落实。", "丙县审计局", "2024年1月20日"], "丙县审计局"),
    ],
)  # fmt: skip
def test_organ_of_title_address_or_signature(lines: list[str], organ: str) -> None:
    document = Document("r.txt", "text", tuple(Block(text=line) for line in lines))
    assert of_document(document).organ == organ


def test_reports_in_one_file_are_told_apart() -> None:
    lines = [
        "甲局2022年政府信息公开工作年度报告", "一、总体情况", "收到申请10件。", "六、其他",
        "乙局2022年政府信息公开工作年度报告", "一、总体情况", "收到申请20件。",
    ]  # fmt: skip
    document = Document("r.txt", "text", tuple(Block(text=line) for line in lines))
    reports = [of_document(part) for part in split_reports(document)]
    assert [r.organ for r in reports] == ["甲局", "乙局"]
    assert [[f.value for f in r.narrative.figures] for r in reports] == [[10], [20]]


def test_rows_whose_values_lost_their_places_are_unread() -> None:
    lines = [
        "三、收到和处理政府信息公开申请情况", "申请人情况 |", "自然人 |", "法人或其他组织 |", "总计 |", "商业企业 |",
        "科研机构 |", "社会公益组织 |", "法律服务机构 |", "其他 |", "一、本年新收政府信息公开申请数量 |", "3 |", "3 |", "|||||||",
        "二、上年结转政府信息公开申请数量 |", "0 |", "0 |", "|||||||",
    ]  # fmt: skip
    report = audited(*lines)
    assert report.tables.cells == {}
    assert len(report.tables.problems) == 2
    assert report.narrative.figures == []
    assert [c for c in report.checks if c.status in ("pass", "fail")] == []
