"""The bill of materials of an installation: what requirements/runtime.lock names, as CycloneDX.

python .ci/sbom.py build/sbom.cdx.json docs/licences.md

Read from the lock file and from the packages installed by it; nothing is looked up elsewhere.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "runtime.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def licence(name: str) -> str:
    """What a package says of its licence, in a line; "not said" where it does not."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    for key in ("License-Expression", "License"):
        text = (said.get(key) or "").strip()
        if text and "\n" not in text and len(text) < 80:
            return text
    classes = [
        c.rpartition(" :: ")[2] for c in said.get_all("Classifier") or [] if "License ::" in c
    ]
    return ", ".join(classes) or "not said"


def components(lock: str) -> list[dict[str, Any]]:
    """Every package of a lock file with its hashes and licence."""
    pins = list(_PIN.finditer(lock))
    found = []
    for pin, following in zip(pins, [*pins[1:], None], strict=True):
        name, version = pin[1].lower().replace("_", "-"), pin[2]
        part = lock[pin.start() : following.start() if following else len(lock)]
        purl = f"pkg:pypi/{name}@{version}"
        found.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
                "hashes": [{"alg": "SHA-256", "content": h} for h in _HASH.findall(part)],
                "licenses": [{"license": {"name": licence(name)}}],
            }
        )
    return found


def main() -> None:
    listed = components(LOCK.read_text(encoding="utf-8"))
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "nianbao", "name": "nianbao"}},
        "components": listed,
    }
    target, page = Path(sys.argv[1]), Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    rows = [
        f"| {c['name']} | {c['version']} | {c['licenses'][0]['license']['name']} |" for c in listed
    ]
    head = ["# Licences", "", "What an installation takes in, as each package says it. Written by"]
    head += ["`python .ci/sbom.py build/sbom.cdx.json docs/licences.md`.", ""]
    page.write_text(
        "\n".join([*head, "| package | version | licence |", "|---|---|---|", *rows]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
