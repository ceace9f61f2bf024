"""The audit tried at length: generated reports, reports with one change, mutants of real texts.

`python -m benchmarks.audit` runs thousands and says what came out wrong. `--docs` writes precision
and recall on the corpus into docs/audit.md and docs/audit.zh.md, and those of the generated
reports too where these were run (`--balanced 0 --altered 0` leaves them as they stand).
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

from benchmarks.audit_trial import TABLE_CODES, Trial, run_altered, run_balanced
from tests.backtest.test_audit_corpus import audit_text, corpus, evidence, numbers, scored

DOCS = Path(__file__).parents[1] / "docs"


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
    right, wrong = (
        sum(column) for column in zip(*((r, w) for _, r, w, _ in rows[2:]), strict=True)
    )
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


def write_corpus() -> None:
    """Put what came out on the corpus between its marks into both documents."""
    heads = (
        ("kind", "right", "wrong", "missed", "precision", "recall"),
        ("项目", "正确", "错误", "遗漏", "准确率", "召回率"),
    )
    rows = [
        (LABELS.get(kind, (kind, kind)), right, wrong, missed)
        for kind, right, wrong, missed in corpus_table()
    ]
    _put("corpus", heads, [(label, *_scored(*counts)) for label, *counts in rows])


def write_trial(balanced: Trial, altered: Trial) -> None:
    """Put what came out on generated reports between their marks: by check, by kind of file."""
    heads = (
        ("check", "right", "wrong", "missed", "precision", "recall"),
        ("核对", "正确", "错误", "遗漏", "准确率", "召回率"),
    )
    codes = [c for c in (*TABLE_CODES, "B7", "B10") if altered.found[c] or altered.false[c]]
    _put(
        "checks",
        heads,
        [((c, c), *_scored(altered.found[c], altered.false[c], altered.missed[c])) for c in codes],
    )
    held = altered.unseen
    _put_lines(
        "unseen",
        (
            f"{held} changes break no equation and no comparison; the audit fails nothing there."
            f" {altered.doubted['B7']} differences between text and tables are told as uncertain.",
            f"{held} 处改动不违反任何等式和比较，核对也没有判为不符；正文与表格的差异有 {altered.doubted['B7']} 处列为存疑。",
        ),
    )
    heads = (
        ("file", "balanced", "wrong", "one change", "wrong", ""),
        ("文件", "平衡的报告", "错误", "改动一处的报告", "错误", ""),
    )
    kinds = sorted(balanced.reports + altered.reports)
    _put(
        "files",
        tuple(h[:5] for h in heads),
        [
            (
                (k, k),
                f"{balanced.reports[k]} | {balanced.faulty[k]} | {altered.reports[k]} | {altered.faulty[k]}",
            )
            for k in kinds
        ],
    )


def _scored(right: int, wrong: int, missed: int) -> tuple[str]:
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return (f"{right} | {wrong} | {missed} | {precision:.1%} | {recall:.1%}",)


def _put(
    name: str, heads: tuple[tuple[str, ...], ...], rows: list[tuple[tuple[str, str], str]]
) -> None:
    """A table between the marks of its name, in each document's language."""
    tables = []
    for at, head in enumerate(heads):
        lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
        tables.append("\n".join([*lines, *(f"| {label[at]} | {told} |" for label, told in rows)]))
    _put_lines(name, tuple(tables))


def _put_lines(name: str, told: tuple[str, ...]) -> None:
    """Text between the marks of its name: for the English document, then for the Chinese one."""
    for file, text in zip(("audit.md", "audit.zh.md"), told, strict=True):
        path = DOCS / file
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", flags=re.S)
        path.write_text(
            _between(marked, text, path.read_text(encoding="utf-8")),
            encoding="utf-8",
        )


def _between(marks: re.Pattern[str], text: str, told: str) -> str:
    return marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", told)


def main() -> int:
    """Run what the arguments ask for; 1 if anything came out wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--balanced", type=int, default=5000)
    parser.add_argument("--altered", type=int, default=5000)
    parser.add_argument("--mutants", type=int, default=20, help="rounds over the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    began = time.process_time()
    balanced = run_balanced(asked.balanced, asked.seed)
    altered = run_altered(asked.altered, asked.seed + 10**6)
    print(f"{asked.balanced} balanced: {len(balanced.wrong)} wrong")
    print(f"{asked.altered} with one change: {len(altered.wrong)} wrong")
    print(
        f"  fails found {dict(altered.found)}, false {dict(altered.false)}, missed {dict(altered.missed)}"
    )
    print(
        f"  doubted {dict(altered.doubted)}, {altered.unseen} changes break nothing that is checked"
    )
    outcomes, passed = run_mutants(asked.mutants, asked.seed)
    print(f"mutants of real texts: {dict(outcomes)}, {time.process_time() - began:.0f} s of CPU")
    for line in (*balanced.wrong[:20], *altered.wrong[:20], *passed[:20]):
        print("  ", line)
    if asked.docs:
        write_corpus()
        if asked.balanced and asked.altered:
            write_trial(balanced, altered)
    return int(bool(balanced.wrong or altered.wrong or passed))


if __name__ == "__main__":
    sys.exit(main())
