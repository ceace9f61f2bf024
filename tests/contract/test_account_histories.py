"""Whatever happens at a source, night after night: the account balances, each record once.

`HISTORIES=200` tries two hundred random histories; the tests try a few of each way.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.histories import HAPPENINGS, WAYS, History, template

pytestmark = pytest.mark.timeout(3600)
MANY = int(os.environ.get("HISTORIES", "8"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("lake"))


happenings = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 60)), max_size=5)
endings = st.sampled_from(("whole", "whole", "landed", "killed"))
a_night = st.tuples(happenings, st.booleans(), endings, st.floats(0.05, 1))


@pytest.mark.parametrize("way", WAYS)
@settings(
    max_examples=-(-MANY // len(WAYS)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    # A history takes seconds: what fails is told as it was found.
    phases=[Phase.reuse, Phase.generate],
)
@given(nights=st.lists(a_night, min_size=1, max_size=4))
def test_after_any_history_every_record_is_accounted_for(
    way: str,
    nights: list[tuple[list[tuple[str, int]], bool, str, float]],
    empty: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    with History.begun(folder, empty, way) as history:
        assert history.gaps() == []
        for happened, is_full, ends, at in nights:
            for kind, number in happened:
                history.happen(kind, number)
            history.night(is_full=is_full, ends=ends, at=at)
            assert history.gaps() == []
        # What a whole list lacks is gone when a second pull lacks it as well. A list asked month
        # by month is searched whole, without being asked to, after it lacked something.
        for is_full in (True, way != "spans", way != "spans"):
            history.night(is_full=is_full)
        _each_record_stands_once(history)
    shutil.rmtree(folder)


def _each_record_stands_once(history: History) -> None:
    line = history.account()
    assert [str(e) for e in line.equations() if e.gap] == []
    in_force = history.query("SELECT record_id FROM core.article WHERE removed_at IS NULL")
    gone = history.query("SELECT record_id FROM core.article WHERE removed_at IS NOT NULL")
    rejected = history.query(
        "SELECT record_id FROM ops.reject WHERE reject_status = 'open' "
        "AND reason <> 'conflicting_key'"
    )
    # What was hidden before it was ever loaded is nobody's to account for.
    there = history.ids() - (history.hidden() - in_force - gone - rejected)
    assert there <= in_force | gone | rejected
    assert in_force <= there
    standing = line.counted + line.set_aside + sum(line.not_counted.values())
    assert standing == line.in_force
    assert len(there) == len(in_force) + len(there & gone) + len(
        (there & rejected) - in_force - gone
    )
