"""The website's channel tree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from deployments.demo_city.service.organs import ROOT, Organs
from deployments.demo_city.service.sites import PORTAL, SITES, SPECIAL_COLUMNS

DIRECTORY, NEWS, OVERVIEW, INTERPRETATION = "01", "02", "03", "04"
WORK_REPORT, SUGGESTION, PROPOSAL = "05", "06", "07"

KEY_FIELDS = {
    "ZD01": "财政预算决算",
    "ZD02": "重大建设项目",
    "ZD03": "公共资源配置",
    "ZD04": "环境保护",
    "ZD05": "食品药品安全",
    "ZD06": "安全生产",
    "ZD07": "扶贫脱贫",
    "ZD08": "教育",
    "ZD09": "医疗卫生",
    "ZD10": "社会救助",
}

# Catalogues and columns that the report counts one by one, outside the directory.
COLUMNS = {
    "21": "年度重大行政决策事项",
    "22": "试点领域基层政务公开事项标准目录",
    "23": "“一件事”目录清单",
    "24": "“粤省事”服务事项",
    "25": "网上中介超市采购公告",
    "26": "把人民安全健康放在首位 坚决打赢疫情防控阻击战",
}

# When they were opened and closed.
COLUMN_DAYS: dict[str, tuple[date, date | None]] = {
    "21": (date(2017, 3, 1), None),
    "22": (date(2018, 9, 3), date(2021, 1, 8)),
    "23": (date(2020, 3, 10), None),
    "24": (date(2018, 5, 21), None),
    "25": (date(2018, 7, 2), None),
    "26": (date(2020, 1, 24), None),
}

REGULATIONS = "LM0110"
NORMATIVE = "LM0111"
INTERPRETATIONS = "LM0405"
NEWS_CHANNEL = "LM0501"


@dataclass(frozen=True)
class Channel:
    channel_id: str
    parent: str | None
    name: str
    kind: str
    is_disclosure: bool
    organ_id: str
    site: str = ""
    is_special: bool = False
    opened: date | None = None
    closed: date | None = None


def column_channel(kind: str) -> str:
    return f"LM06{kind}"


def key_field_channel(code: str) -> str:
    return f"LM03{code[2:]}"


def organ_channel(organ_id: str) -> str:
    return f"LM9{organ_id}"


def channel_tree(organs: Organs) -> list[Channel]:
    """The tree, parents first. A channel's flag says whether its articles count as disclosed."""

    def one(number: str, parent: str | None, name: str, kind: str, disclosure: bool) -> Channel:
        return Channel(number, parent, name, kind, disclosure, ROOT)

    tree = [
        one("LM0001", None, "汕尾市人民政府门户网站", OVERVIEW, False),
        one("LM0100", "LM0001", "政府信息公开", DIRECTORY, True),
        one(REGULATIONS, "LM0100", "政府规章", DIRECTORY, True),
        one(NORMATIVE, "LM0100", "规范性文件", DIRECTORY, True),
        one("LM0300", "LM0100", "重点领域信息公开", DIRECTORY, True),
        one("LM0402", "LM0100", "政府工作报告", WORK_REPORT, True),
        one("LM0403", "LM0100", "人大代表建议办理", SUGGESTION, True),
        one("LM0404", "LM0100", "政协提案办理", PROPOSAL, True),
        one(INTERPRETATIONS, "LM0100", "政策解读", INTERPRETATION, True),
        one(NEWS_CHANNEL, "LM0001", "政务动态", NEWS, False),
        one("LM0502", "LM0001", "走进汕尾", OVERVIEW, False),
        one("LM0600", "LM0001", "专题专栏", OVERVIEW, False),
        one("LM9000", "LM0100", "政府信息公开目录", DIRECTORY, True),
    ]
    tree += [one(key_field_channel(c), "LM0300", n, DIRECTORY, True) for c, n in KEY_FIELDS.items()]
    tree += [
        replace(
            one(column_channel(kind), "LM0600", name, kind, False),
            is_special=True,
            opened=COLUMN_DAYS[kind][0],
            closed=COLUMN_DAYS[kind][1],
        )
        for kind, name in COLUMNS.items()
    ]
    for organ_id in organs.ids:
        name = organs.on(organ_id, organs.existed_from(organ_id)).name
        tree.append(
            Channel(
                organ_channel(organ_id), "LM9000", f"{name}信息公开目录", DIRECTORY, True, organ_id
            )
        )
    for site in SITES:
        for n, (name, opened, closed) in enumerate(SPECIAL_COLUMNS if site is not PORTAL else ()):
            number = f"LM07{site.code[1:]}{n}"
            tree.append(
                Channel(
                    number,
                    None,
                    name,
                    OVERVIEW,
                    False,
                    site.organ_id,
                    site.code,
                    True,
                    opened,
                    closed,
                )
            )
    return tree
