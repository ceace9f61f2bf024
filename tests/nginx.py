"""nginx with a block of the documentation, in a folder of its own."""

from __future__ import annotations

from pathlib import Path


def nginx_command(folder: Path, block: str) -> list[str]:
    """Write its configuration; returns the command that runs it in the foreground."""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{block}\n}}\n",
        encoding="utf-8",
    )
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(file)]
