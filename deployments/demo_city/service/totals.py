"""What must come out: the published figures of 2020, and the synthetic shares below them.

Only the figures of the published report are real. Splits by row, by kind and by organ, and
the years 2019 and 2021 (but WeChat's 14,370 followers and 747 posts, 102 normative documents,
12 gazette issues and 1,643 applications of 2019), are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


def scaled(count: int, scale: float) -> int:
    """A count in a smaller city; what exists keeps existing."""
    return max(1, round(count * scale)) if count else 0


@dataclass(frozen=True)
class ApplicationYear:
    """One year of applications, from its parts: the totals follow."""

    outcomes: dict[str, int]
    organizations: dict[str, int]
    open_at_end: int
    without_kind: tuple[tuple[date, str], ...] = ()
    without_outcome: tuple[tuple[date, str], ...] = ()
    overdue: int = 0


# 1298 + 20 + 12 + 89 + 2286 + 9 = 3714, and two closed without an outcome: 3716 closed. With
# 5 carried out that is 3721 = 3706 new + 15 carried in.
APPLICATIONS = {
    2019: ApplicationYear(
        outcomes={
            "01": 702, "02": 14, "0301": 1, "0302": 1, "0304": 3, "0305": 1, "0306": 1, "0307": 1,
            "0401": 47, "0402": 12, "0403": 5, "0501": 744, "0502": 61, "0503": 9, "0504": 14,
            "0505": 6, "0601": 2, "0602": 1, "0603": 3,
        },
        organizations={"21": 221, "22": 14, "23": 25, "24": 77, "29": 28},
        open_at_end=15,
        overdue=5,
    ),
    2020: ApplicationYear(
        outcomes={
            "01": 1298, "02": 20, "0301": 1, "0302": 2, "0303": 1, "0304": 3, "0305": 2,
            "0306": 1, "0307": 1, "0308": 1, "0401": 61, "0402": 20, "0403": 8, "0501": 1962,
            "0502": 217, "0503": 34, "0504": 52, "0505": 21, "0601": 4, "0602": 1, "0603": 4,
        },
        organizations={"21": 512, "22": 38, "23": 61, "24": 174, "29": 62},
        open_at_end=5,
        # (about when, organ): four without an applicant kind, two closed without an outcome.
        without_kind=(
            (date(2020, 3, 17), "441500D02"),
            (date(2020, 6, 4), "441521"),
            (date(2020, 8, 25), "441500D11"),
            (date(2020, 11, 9), "441581104"),
        ),
        without_outcome=((date(2020, 5, 21), "441502"), (date(2020, 10, 14), "441500D12")),
        overdue=6,
    ),
    2021: ApplicationYear(
        outcomes={
            "01": 1204, "02": 26, "0301": 1, "0302": 1, "0303": 1, "0304": 4, "0305": 3,
            "0306": 2, "0307": 3, "0308": 2, "0401": 118, "0402": 31, "0403": 11, "0501": 1358,
            "0502": 143, "0503": 21, "0504": 33, "0505": 12, "0601": 17, "0602": 3, "0603": 12,
        },
        organizations={"21": 431, "22": 29, "23": 44, "24": 139, "29": 51},
        open_at_end=9,
        overdue=4,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class DocumentYear:
    """Documents by their first disclosure, abolitions by their date."""

    normative_disclosed: int
    regulations_disclosed: int
    abolished_by_city: int
    abolished_by_others: int


DOCUMENTS = {
    2019: DocumentYear(102, 0, 12, 9),
    2020: DocumentYear(195, 1, 45, 38),
    2021: DocumentYear(151, 1, 10, 21),
}

REVIEWS = {2019: 26, 2020: 38, 2021: 41}
PROCUREMENTS = {2019: 410, 2020: 523, 2021: 468}
INFORMATION_FEES = {2019: 4, 2020: 7, 2021: 5}

# organ: (issues, copies of each); 2020: 18,000 + 3,200 + 2,000 + 1,000 = 24,200 copies.
GAZETTES = {
    2019: {"441500": (12, 1500), "441521": (2, 600), "441581": (2, 500)},
    2020: {"441500": (12, 1500), "441521": (4, 800), "441581": (4, 500), "441523": (2, 500)},
    2021: {"441500": (12, 1600), "441521": (4, 800), "441581": (4, 600), "441523": (4, 500)},
}


@dataclass(frozen=True)
class CmsYear:
    """Articles by channel, published in the year and not withdrawn by its end."""

    disclosed: int
    key_field: int
    work_reports: int
    congress_suggestions: int
    cppcc_proposals: int
    interpretations: int
    regulations: int
    normative_documents: int
    columns: dict[str, int]
    news: int
    withdrawn_in_year: int
    withdrawn_later: int
    drafts: int
    leader_messages: int
    inquiries_closed: int
    inquiries_open: int
    interviews: int
    portal_visits: int


CMS = {
    2019: CmsYear(
        5720, 540, 1, 11, 4, 15, 0, 102,
        {"21": 30, "24": 210, "25": 640, "22": 4}, 1400, 40, 6, 10, 96, 742, 61, 8, 4_918_207,
    ),
    2020: CmsYear(
        16193, 1626, 1, 14, 3, 22, 1, 195,
        {"21": 43, "22": 26, "23": 103, "24": 856, "25": 2201, "26": 2427},
        3100, 130, 25, 40, 148, 1157, 100, 10, 6_645_864,
    ),
    2021: CmsYear(
        6650, 702, 1, 16, 5, 31, 1, 151,
        {"21": 38, "23": 64, "24": 322, "25": 811, "26": 404},
        1600, 45, 0, 15, 163, 1309, 88, 12, 7_102_330,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class MediaYear:
    followers_at_end: int
    posts: int
    other_posts: int


WECHAT = "汕尾市人民政府网站"
ACCOUNTS_AT_END_OF_2020 = 120
WECHAT_FOLLOWERS_BEFORE = 10_842
MEDIA = {
    2019: MediaYear(14_370, 747, 17_000),
    2020: MediaYear(21_983, 2_595, 45_000),
    2021: MediaYear(27_416, 2_731, 21_000),
}


@dataclass(frozen=True)
class HotlineYear:
    """`on_time` is a share of the work orders due in the year, `unsatisfied` of the call-backs."""

    calls: int
    work_orders: int
    on_time: float
    unsatisfied: float = field(default=0.0002)


HOTLINE = {
    2019: HotlineYear(90_412, 11_208, 0.8730, 0.0011),
    2020: HotlineYear(216_297, 27_549, 0.8910),
    2021: HotlineYear(89_877, 12_466, 0.9240, 0.0006),
}
