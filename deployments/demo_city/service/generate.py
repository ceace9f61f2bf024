"""Generates the demo city once a version into `<home>/demo_city/<version>/`.

The version is a hash of the seed, the scale and the code that generates, so a change of any
of them makes new data, and the same of all gives the same bytes.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from deployments.demo_city.service import cms_data, hotline_data, ledger_data, media_data
from deployments.demo_city.service.organs import ORGANS_FILE

SEED = 20200101

_PARTS: dict[str, Callable[[Path, int, float], None]] = {
    "hotline": hotline_data.generate,
    "ledger": ledger_data.generate,
    "new_media": media_data.generate,
    "cms": cms_data.generate,
}
_NOT_DATA = (
    "_service.py",
    "control.py",
    "client.py",
    "check.py",
    "vendor.py",
    "runner.py",
    "__main__.py",
    "process.py",
)


def version(seed: int, scale: float) -> str:
    """Name of the data of this code, seed and scale."""
    digest = hashlib.sha256(ORGANS_FILE.read_bytes())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        if not module.name.endswith(_NOT_DATA):
            digest.update(module.read_bytes())
    return f"{seed}-{scale:g}-{digest.hexdigest()[:12]}"


def _generate_part(part: str, folder: Path, seed: int, scale: float) -> None:
    # Hundreds of thousands of small objects without a cycle: the collector only costs time.
    gc.disable()
    target = folder / part
    target.mkdir()
    _PARTS[part](target, seed, scale)
    gc.enable()


def generated(home: Path, seed: int = SEED, scale: float = 1.0) -> Path:
    """The folder of the data, generated now if it is not there."""
    if not 0 < scale <= 1:
        raise ValueError("规模 scale 须大于 0、不大于 1")
    root = home / "demo_city"
    target = root / version(seed, scale)
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=".generating-", dir=root))
    try:
        if scale >= 0.2:
            # In processes of their own, so that the server's memory stays small.
            with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
                jobs = [pool.submit(_generate_part, p, working, seed, scale) for p in _PARTS]
                for job in jobs:
                    job.result()
        else:
            for part in _PARTS:
                _generate_part(part, working, seed, scale)
        try:
            os.replace(working, target)
        except OSError:
            # Another process was faster; its data are the same.
            if not target.is_dir():
                raise
        _drop_older(root, target, seed, scale)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return target


def _drop_older(root: Path, target: Path, seed: int, scale: float) -> None:
    """Remove what earlier code generated for this seed and scale."""
    for folder in root.glob(f"{seed}-{scale:g}-*"):
        if folder != target:
            shutil.rmtree(folder, ignore_errors=True)
