"""Personal data as real systems carry them: generated, and marked so that a leak can be found.

Every text value holds `TEXT_MARK`; telephone numbers begin with a prefix and ID numbers with a
region that are not assigned to anyone. `find_mark` finds each of them in bytes of any file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

TEXT_MARK = "PD7731"
PHONE_PREFIX = "1207731"
IDENTITY_PREFIX = "997731"

# Digits are matched as whole numbers only: a hash may hold the prefix by chance.
MARKS = re.compile(rb"PD7731|(?<![0-9A-Za-z])(?:1207731\d{4}|997731\d{11}[0-9X])(?![0-9A-Za-z])")


def find_mark(content: bytes) -> re.Match[bytes] | None:
    """The first mark in the bytes of a file. Its beginning is looked for first, which is much
    quicker than the pattern."""
    if any(prefix.encode() in content for prefix in (TEXT_MARK, PHONE_PREFIX, IDENTITY_PREFIX)):
        return MARKS.search(content)
    return None


_SURNAMES = "陈林黄吴张李郑蔡刘曾叶杨彭王余徐庄施罗何"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞平刚桂英华玉志建文斌"
_STREETS = ("海滨大道", "汕尾大道", "红海中路", "二马路", "人民南路", "建设路", "文明路", "通港路")
_MATTERS = (
    "申请公开本村征地补偿安置方案及批准文件",
    "申请公开某地块的规划条件和出让合同",
    "反映邻居违章建筑多次投诉无人处理,要求答复",
    "申请公开学校招生范围划分的依据",
    "咨询社会保险转移接续如何办理",
    "反映工厂夜间噪声和排污影响居民休息",
    "申请公开道路工程的施工合同与决算",
    "反映物业公司不履行服务合同",
    "咨询新生儿落户需要什么材料",
    "申请公开农村宅基地使用权登记档案",
    "反映路灯损坏、道路积水,请尽快维修",
    "申请公开行政处罚的全部案卷",
    "反映拖欠工资,要求劳动部门介入",
    "咨询不动产登记办理进度",
)


@dataclass(frozen=True)
class Person:
    name: str
    phone: str
    identity: str
    address: str


class People:
    """A pool of generated people and of free text, drawn from by the generators."""

    def __init__(self, rng: Random, size: int = 3000) -> None:
        self._random = rng.random
        self._people = [self._person(rng) for _ in range(size)]
        self._texts = [
            f"{matter}({TEXT_MARK}号来件,{rng.choice(_SURNAMES)}某,{rng.choice(_STREETS)})"
            for matter in _MATTERS
            for _ in range(8)
        ]
        self._companies = [
            f"汕尾市{TEXT_MARK}{rng.choice(_GIVEN)}{rng.choice(_GIVEN)}有限公司" for _ in range(200)
        ]

    @staticmethod
    def _person(rng: Random) -> Person:
        born = f"{rng.randint(1945, 2001)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        return Person(
            name=f"{rng.choice(_SURNAMES)}{TEXT_MARK}{rng.choice(_GIVEN)}{rng.choice(_GIVEN)}",
            phone=f"{PHONE_PREFIX}{rng.randint(0, 9999):04d}",
            identity=f"{IDENTITY_PREFIX}{born}{rng.randint(0, 999):03d}{rng.choice('0123456789X')}",
            address=f"汕尾市{rng.choice(_STREETS)}{TEXT_MARK}号{rng.randint(1, 30)}栋",
        )

    def anyone(self) -> Person:
        return self._people[int(self._random() * len(self._people))]

    def text(self) -> str:
        return self._texts[int(self._random() * len(self._texts))]

    def company(self) -> str:
        return self._companies[int(self._random() * len(self._companies))]
