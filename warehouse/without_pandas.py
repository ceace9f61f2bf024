"""Keep DuckDB from importing pandas, which nothing here hands to it or asks of it.

DuckDB looks for pandas at every statement with a bound parameter, to know its special values of
what is missing; the import costs half a CPU second, more than most commands need for all they do. Where it
is told that there is none, it goes on without. Great Expectations needs it and asks for it back.
"""

from __future__ import annotations

import sys

_PANDAS = "pandas"


def keep_pandas_out() -> None:
    """Have `import pandas` fail from now on, unless it was imported before."""
    # What the import system takes for "known not to be there".
    sys.modules.setdefault(_PANDAS, None)  # type: ignore[arg-type]


def let_pandas_in() -> None:
    """Have `import pandas` work again."""
    if sys.modules.get(_PANDAS, ...) is None:
        del sys.modules[_PANDAS]
