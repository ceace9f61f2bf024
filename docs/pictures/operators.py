"""Takes the pictures of docs/operators.zh.md from a running page.

    nianbao serve --demo                       # in another terminal; then run, in the page or by
    nianbao nightly && nianbao year-end 2020   # hand, nightly, year-end, publish, deadline-watch
    python docs/pictures/operators.py [http://127.0.0.1:4200]

Needs playwright and Debian's chromium. Takes what there is: the newest run of each deployment.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "operators"
SETTLE_MS = 3000


def ask(address: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{address}/api{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def newest_run(address: str, flow: str) -> str | None:
    found = ask(
        address,
        "/flow_runs/filter",
        {"sort": "START_TIME_DESC", "flows": {"name": {"any_": [flow]}}, "limit": 50},
    )
    ended = [run for run in found if run["end_time"] and run["state"]["name"] != "输入有误"]
    return ended[0]["id"] if ended else None


def newest_artifact(address: str, beginning: str) -> str | None:
    found = ask(address, "/artifacts/filter", {"sort": "CREATED_DESC", "limit": 200})
    return next((a["id"] for a in found if str(a["key"]).startswith(beginning)), None)


def picture(page: Page, url: str, name: str, click: str | None = None) -> None:
    page.goto(url)
    page.wait_for_timeout(SETTLE_MS)
    if click:
        page.get_by_text(click, exact=True).first.click()
        page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=FOLDER / f"{name}.png")
    print(name)


def main(address: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    ids = {d["name"]: d["id"] for d in ask(address, "/deployments/filter", {})}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": 1200, "height": 860},
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            color_scheme="light",
        )
        page.add_init_script("localStorage.setItem('color-mode', 'light')")
        picture(page, f"{address}/deployments", "deployments")
        for name in ("year-end", "publish", "backfill"):
            picture(page, f"{address}/deployments/deployment/{ids[name]}/run", f"form-{name}")
        run = newest_run(address, "year-end")
        if run:
            picture(page, f"{address}/runs/flow-run/{run}", "run")
            picture(page, f"{address}/runs/flow-run/{run}", "artifacts", click="Artifacts")
        for key in (
            "result",
            "tables",
            "findings",
            "changes",
            "publication",
            "deadlines",
            "sources",
        ):
            artifact = newest_artifact(address, key)
            if artifact:
                picture(page, f"{address}/artifacts/artifact/{artifact}", key)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4200")
