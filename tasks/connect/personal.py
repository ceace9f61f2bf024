"""Which fields tell of persons: by their names, and by what stands inside their values.

A field that may hold a name, a telephone number, an identity number or an address is never
proposed, whatever else its name says; it is named with the reason, its values are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from tasks.connect import vocabulary
from tasks.sources.select import text

BY_NAME = 0.7
SOME = 0.3
MOSTLY = 0.6
LONG = 200
_PHONE = re.compile(
    r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)|(?<!\d)0\d{2,3}[-— ]\d{7,8}(?!\d)"
)
_IDENTITY = re.compile(
    r"(?<!\d)\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dXx])"
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PLACE = re.compile(
    r"(?:路|街|巷|道|村|小区|花园|大厦|公寓|组)[^,,。;\s]{0,12}?\d+\s*(?:号|栋|幢|室|单元|弄)"
)
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰"
)
_PERSON = re.compile(
    rf"(?:[{_SURNAMES}]|欧阳|司马|上官|诸葛|司徒)[一-鿿某*×Xx○〇]{{1,2}}(?:先生|女士|小姐|同志|同学)?"
)
_ADDRESSED = re.compile(
    rf"[{_SURNAMES}][一-鿿某*]{{0,2}}(?:先生|女士|小姐|老师)|[{_SURNAMES}](?:某某|某|[*×]{{1,2}}(?![*×\d]))"
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
# Words that two or three characters of a name would be taken for.
_NO_PERSONS = frozenset(
    [
        "其他",
        "文件",
        "文字",
        "文化",
        "金融",
        "高校",
        "高级",
        "方案",
        "方式",
        "常规",
        "常态",
        "石油",
        "江河",
        "白名单",
        "万元",
        "田径",
        "马路",
        "龙头",
        "武术",
        "钟表",
        "金额",
        "高新区",
        "江苏",
        "江西",
        "黄色",
        "白色",
        "任务",
        "许可",
        "段落",
        "余额",
        "方法",
        "史料",
        "谢绝",
        "易燃",
        "康复",
        "雷电",
        "文书",
        "高",
        "夏季",
        "程序",
        "程度",
        "马上",
        "武装",
        "文体",
        "曹县",
        "汤阴",
    ]
)


def reason(path: str, values: Iterable[object], alias: str = "") -> str | None:
    """Why a field is left out, in Chinese; None where nothing tells of a person. `alias` is what a
    description calls it."""
    names = vocabulary.names_of(path)
    if _says_person(names) or (alias and _says_person((alias,))):
        return "字段名"
    texts = [text(value) for value in values]
    if not texts:
        return None
    return _in_values(texts)


def _says_person(names: tuple[str, ...]) -> bool:
    """Whether any name along the path says a person; of a carrier what stands before it."""
    known = vocabulary.personal()
    if vocabulary.compact(names[-1]) in vocabulary.words()["personal"]["kinds"]:
        names = names[-1:]
    if any(known.weight(name) >= BY_NAME or _ends_with_person(name) for name in names):
        return True
    pairs = (f"{first} {second}" for first, second in pairwise(names))
    return any(known.whole.get(vocabulary.compact(pair), 0.0) >= BY_NAME for pair in pairs)


def _ends_with_person(name: str) -> bool:
    """Whether a Chinese label ends with a word for a person: 来电人姓名, 主办单位联系电话."""
    plain = vocabulary.compact(name)
    return not plain.isascii() and plain.endswith(vocabulary.words_for_persons())


def is_free_text(path: str, values: Iterable[object]) -> bool:
    """Whether a field is what people wrote at length."""
    names = [n for n in vocabulary.names_of(path) if vocabulary.compact(n) not in _SHELLS]
    known = vocabulary.free_text()
    if any(known.weight(name) >= 0.9 for name in names):
        return True
    lengths = sorted(len(text(value)) for value in values)
    return bool(lengths) and lengths[len(lengths) // 2] > LONG


_SHELLS = frozenset({"content", "detail", "details", "message", "messages", "info", "data", "text"})
"""Names of free text that are as often names of what holds the record."""


def _in_values(texts: list[str]) -> str | None:
    for told, found in (
        ("值中有电话号码", _PHONE.search),
        ("值中有身份证号码", _has_identity),
        ("值中有电子邮箱", _MAIL.search),
        ("值中有对人的称呼", _ADDRESSED.search),
    ):
        count = sum(bool(found(one)) for one in texts)
        if count:
            return f"{told}({count} 条)"
    if sum(bool(_PLACE.search(one)) for one in texts) > SOME * len(texts):
        return "值像是住址"
    persons = [one for one in texts if _PERSON.fullmatch(one.strip()) and one not in _NO_PERSONS]
    if len(persons) >= MOSTLY * len(texts) and (len(set(persons)) > 3 or len(texts) < 6):
        return "值像是人名"
    return None


def _has_identity(one: str) -> bool:
    """Whether an identity number stands in a text: eighteen digits whose last proves the others."""
    for found in _IDENTITY.finditer(one):
        number = found[0].upper()
        total = sum(
            int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True)
        )
        if _CHECKS[total % 11] == number[17]:
            return True
        if "身份" in one:
            return True
    return False
