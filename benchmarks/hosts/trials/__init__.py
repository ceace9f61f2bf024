"""The trials of a site, each in a file of its name: what it did and measured, and what was wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.hosts.trials.commits import commits
from benchmarks.hosts.trials.cut import cut
from benchmarks.hosts.trials.equal import equal
from benchmarks.hosts.trials.ground import Ground, Told
from benchmarks.hosts.trials.kills import KINDS, kills
from benchmarks.hosts.trials.nights import nights
from benchmarks.hosts.trials.size import size

__all__ = ["KINDS", "TRIALS", "Ground", "Told"]

TRIALS: Mapping[str, Callable[[Ground], Told]] = {
    "nights": nights,
    "size": size,
    "equal": equal,
    "cut": cut,
    "commits": commits,
    "kills": kills,
}
"""In this order: the first makes what the others need."""
