"""The audit tried at length: generated reports, reports with one change, mutants of real texts.

`python -m benchmarks.audit` runs thousands, says what came out wrong, and with `--docs` writes
the precision and recall on the corpus into docs/audit.md and docs/audit.zh.md.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tasks.audit.result import AuditReport
from tasks.audit.run import audit_files
from tests.audit_files import OTHER_FORMATS
from tests.audit_reports import FORMATS, Figures, balanced
from tests.backtest.test_audit_corpus import audit_text, corpus, evidence, numbers, scored
from warehouse.form import load_layout
from warehouse.layout import Layout

DOCS = Path(__file__).parents[1] / "docs"
QUICK = ("text", "lines", "html", "html_gb18030", "docx", "xlsx", "odt", "rtf", "ofd", "doc")
SLOW = ("pdf", "pdf_cut", "pdf_unruled")
EVERY = 100
"""One report in so many is a PDF, which takes a hundred times as long."""


def _drawn(count: int, seed: int) -> Iterator[tuple[int, str, Layout, Figures, random.Random]]:
    for n in range(count):
        draw = random.Random(seed + n)
        form = SLOW[n // EVERY % len(SLOW)] if n % EVERY == 0 else QUICK[n % len(QUICK)]
        layout = load_layout(draw.choice(["2019", "2021"]))
        yield n, form, layout, balanced(layout, draw, draw.choice([3, 40, 2000])), draw


def _audited(folder: Path, form: str, layout: Layout, figures: Figures) -> AuditReport:
    suffix, render = {**FORMATS, **OTHER_FORMATS}[form]
    path = folder / f"report{suffix}"
    path.write_bytes(render(layout, figures))
    (report,) = audit_files([path])
    return report


def run_balanced(count: int, seed: int) -> list[str]:
    """Reports that balance: nothing may fail or be doubted, nothing be unread."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for n, form, layout, figures, _ in _drawn(count, seed):
            report = _audited(Path(folder), form, layout, figures)
            found = [c.message for c in report.checks if c.status in ("fail", "uncertain")]
            read = {k: int(v) for k, v in report.tables.figures.items() if v is not None}
            if found or report.not_read or read != figures:
                wrong.append(f"{n} {form} {layout.name}: {found[:2]} {report.not_read[:2]}")
    return wrong


def run_altered(count: int, seed: int) -> tuple[list[str], int]:
    """One cell changed: the checks that it is part of fail and name it, and no other.

    Out: what came out otherwise, and how many changes no check of the form can see (the cell
    stands in no equation, so every equation still holds).
    """
    wrong, unseen = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for n, form, layout, figures, draw in _drawn(count, seed):
            cell = draw.choice(sorted(figures))
            altered = {**figures, cell: figures[cell] + draw.randint(1, 500)}
            equations = [
                e for e in layout.equations
                if not e.crosses_years and e.relation == "="
                and any(t.cell == cell for t in e.left + e.right)
            ]  # fmt: skip
            unseen += not equations
            report = _audited(Path(folder), form, layout, altered)
            failed = {c.key for c in report.fails if c.code in ("B1", "B2", "B3", "B4")}
            named = all(cell in {b.cell for b in c.evidence} for c in report.fails)
            others = [c.key for c in report.fails if c.code not in ("B1", "B2", "B3", "B4", "B11")]
            if failed != {e.key for e in equations} or not named or others:
                wrong.append(f"{n} {form} {layout.name} {cell}: {sorted(failed)} {others}")
    return wrong, unseen


def run_mutants(rounds: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Real texts with one figure of an equation changed, so that it no longer holds.

    Out: what became of the equation (fail, uncertain, silent, pass), and those that passed.
    """
    outcomes: Counter[str] = Counter()
    passed = []
    for turn in range(rounds):
        draw = random.Random(seed + turn)
        for entry in corpus():
            for equation in map(str, entry.get("holds", [])):
                mutant = _mutant(draw, entry["text"], equation)
                if mutant is None or "cells" in entry:
                    continue
                text, wanted, change = mutant
                checks = audit_text(entry, text).checks
                said = {c.status for c in checks if wanted <= evidence(c)}
                verdict = next((s for s in ("fail", "uncertain", "pass") if s in said), "silent")
                outcomes[verdict] += 1
                if verdict == "pass":
                    passed.append(f"{entry['source']} {equation} {change}")
    return outcomes, passed


def _mutant(
    draw: random.Random, text: str, equation: str
) -> tuple[str, Counter[Decimal], str] | None:
    """A text with one figure of the equation changed, the figures then, and the change."""
    if re.search(r" [+-]|≈|<=", equation) or "%" in equation:
        return None
    told = numbers(equation)
    once = [n for n in told if n and len(re.findall(rf"(?<![\d.]){n}(?![\d.])", text)) == 1]
    if not once:
        return None
    old = draw.choice(once)
    new = max(old + draw.choice([1, 2, 7, 10, 100, -1, -3]), Decimal(0))
    if new == old:
        new = old + 5
    wanted = told - Counter([old])
    wanted[new] += 1
    return re.sub(rf"(?<![\d.]){old}(?![\d.])", str(new), text, count=1), wanted, f"{old} → {new}"


def corpus_table() -> list[tuple[str, int, int, int]]:
    """For each kind: right, wrong, missed on the corpus."""
    score = scored()
    missed = {k: len(v) for k, v in score.missed.items()}
    names = ["figure", "meaning", *sorted(set(score.right) - {"figure", "meaning"})]
    rows = [(n, score.right[n], len(score.wrong.get(n, [])), missed.get(n, 0)) for n in names]
    verdicts = rows[2:]
    right, wrong = (sum(row[at] for row in verdicts) for at in (1, 2))
    return [*rows, ("verdict", right, wrong, missed.get("verdict", 0))]


LABELS = {
    "figure": ("figures read", "读出的数"),
    "meaning": ("meanings", "含义"),
    "applicants": ("applicants", "申请人"),
    "channels": ("ways of submission", "提交方式"),
    "outcomes": ("outcomes", "办理结果"),
    "closing": ("closed and carried over", "办结与结转"),
    "parts": ("wholes and parts", "整体与部分"),
    "total": ("totals", "合计"),
    "share": ("shares", "占比"),
    "change": ("changes", "同比"),
    "rate": ("rates", "比率"),
    "review": ("reviews and lawsuits", "复议诉讼"),
    "B3": ("rows of the form", "表内各行"),
    "verdict": ("all verdicts", "全部判定"),
    "B7": ("text and tables", "正文与表格"),
}


def write_docs() -> None:
    """Put the table between its marks into both documents."""
    for name, language in (("audit.md", 0), ("audit.zh.md", 1)):
        path = DOCS / name
        heads = (("kind", "right", "wrong", "missed", "precision", "recall"), ("项目", "正确", "错误", "遗漏", "准确率", "召回率"))[language]  # fmt: skip
        lines = ["| " + " | ".join(heads) + " |", "|---|---:|---:|---:|---:|---:|"]
        for kind, right, wrong, missed in corpus_table():
            precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
            label = LABELS.get(kind, (kind, kind))[language]
            lines.append(
                f"| {label} | {right} | {wrong} | {missed} | {precision:.1%} | {recall:.1%} |"
            )
        table = "\n".join(lines)
        text = path.read_text(encoding="utf-8")
        text = re.sub(
            r"(<!-- corpus -->\n).*?(<!-- /corpus -->)", rf"\g<1>{table}\n\g<2>", text, flags=re.S
        )
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Run what the arguments ask for; 1 if anything came out wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--balanced", type=int, default=5000)
    parser.add_argument("--altered", type=int, default=5000)
    parser.add_argument("--mutants", type=int, default=20, help="rounds over the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    if asked.docs:
        write_docs()
        return 0
    began = time.monotonic()
    wrong = run_balanced(asked.balanced, asked.seed)
    print(f"{asked.balanced} balanced: {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    altered, unseen = run_altered(asked.altered, asked.seed + 10**6)
    print(f"{asked.altered} altered: {len(altered)} wrong, {unseen} that no equation can see")
    outcomes, passed = run_mutants(asked.mutants, asked.seed)
    print(f"mutants of real texts: {dict(outcomes)}")
    for line in (*wrong[:20], *altered[:20], *passed[:20]):
        print("  ", line)
    return int(bool(wrong or altered or passed))


if __name__ == "__main__":
    sys.exit(main())
