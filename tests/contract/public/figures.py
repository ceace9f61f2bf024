"""What `source fields` proposes, measured against what a person would write, and the table of it in
the documents: `python -m tests.contract.public.figures` writes it anew."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.connect.fields import Proposal, propose
from tests.contract.public.serving import serving
from tests.contract.public.systems import SYSTEMS, Expected, office_folder

DOCS = Path(__file__).parents[3] / "docs"
NAMES = [*SYSTEMS, "office"]
BEGIN = "<!-- proposals: written by python -m tests.contract.public.figures -->"
END = "<!-- end of proposals -->"
OFFICE = {"en": "Workbooks and CSV of several offices", "zh": "各单位的工作簿与 CSV"}
ENGLISH = {
    "ruoyi": "RuoYi back end",
    "trs": "TRS site interface",
    "soap": "SOAP 1.1 ticket service",
    "wordpress": "WordPress REST API v2 (posts)",
    "wagtail": "Wagtail API v2 (pages)",
    "drupal": "Drupal JSON:API (node--article)",
    "redmine": "Redmine REST (issues)",
    "django-helpdesk": "django-helpdesk (tickets)",
    "roundup": "Roundup REST (issue)",
}
HEADS = {
    "en": "| system | columns that a person maps | proposed rightly | key | paging | changes | personal fields |",
    "zh": "| 系统 | 应对照的列 | 写对的列 | 编号 | 翻页 | 增量 | 列入的个人信息 |",
}


@dataclass(frozen=True)
class Measured:
    """Figures of one system: columns that a person maps, those proposed rightly, and the rest."""

    mapped: int
    right: list[str]
    wrong: dict[str, str | None]
    has_key: bool
    has_paging: bool
    has_cursor: bool
    persons: list[str]


def measured(proposal: Proposal, expected: Expected) -> Measured:
    """Hold a proposal against what a person would write."""
    found = {c: tuple(r if isinstance(r, list) else [r]) for c, r in paths_of(proposal).items()}
    right = [c for c, paths in expected.columns.items() if set(found.get(c, ())) & set(paths)]
    wrong = {
        c: "、".join(found[c]) if c in found else None for c in expected.columns if c not in right
    }
    cursor = proposal.changes.cursor
    param_is_right = (cursor or {}).get("param") == expected.param
    proposed = [p for paths in found.values() for p in paths]
    return Measured(
        len(expected.columns),
        right,
        wrong,
        proposal.key == expected.key,
        expected.paginator.items() <= proposal.paginator.items(),
        (proposal.cursor in expected.updated if expected.updated else proposal.cursor is None)
        and param_is_right,
        [p for p in proposed if any(word in p for word in expected.persons)],
    )


def paths_of(proposal: Proposal) -> dict[str, str | list[str]]:
    return {f.column: f.rule.get("path", f.path) for f in proposal.fields if f.column}


@cache
def proposals(name: str, *, with_table: bool = True) -> tuple[Proposal, Expected]:
    """What is proposed for a system, and what should be."""
    if name == "office":
        with tempfile.TemporaryDirectory(prefix="nianbao-office-") as folder:
            expected = office_folder(Path(folder))
            return propose(folder, table_name="application" if with_table else None), expected
    system = SYSTEMS[name]()
    with serving(system):
        table = system.table if with_table else None
        return propose(
            system.url + system.place, body=system.body, table_name=table
        ), system.expected


def table(language: str) -> str:
    """The figures by system."""
    yes = {True: "✓", False: "✗"}
    lines = [HEADS[language], "|---|---|---|---|---|---|---|"]
    for name in NAMES:
        found = measured(*proposals(name))
        title = OFFICE[language] if name == "office" else SYSTEMS[name]().title
        title = ENGLISH.get(name, title) if language == "en" else title
        lines.append(
            f"| {title} | {found.mapped} | {len(found.right)} | {yes[found.has_key]} | {yes[found.has_paging]}"
            f" | {yes[found.has_cursor]} | {len(found.persons)} |"
        )
    return "\n".join(lines)


def renewed(text: str, language: str) -> str:
    """A document with its table written anew."""
    head, found, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not found or not end:
        raise ValueError("the document has no place for the proposals")
    return f"{head}{BEGIN}\n\n{table(language)}\n\n{END}{tail}"


def main() -> int:
    for language, name in (("en", "connect.md"), ("zh", "connect.zh.md")):
        path = DOCS / name
        path.write_text(renewed(path.read_text(encoding="utf-8"), language), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
