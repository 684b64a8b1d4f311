"""The report of a run of 2,000 problems and 100 steps: written in, large, opened in a browser in.

``python -m benchmarks.report`` prints one JSON line. Opening is what a headless Chromium takes
from navigation to a page that is loaded and laid out; the ratio compares whole browser processes
with one that opens an empty page, so it depends little on the machine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.large_run import write_run
from hdpo_env.report import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
CLOCK = (
    "<script>onload=()=>{document.body.offsetHeight;"
    "document.title='loaded '+performance.now()}</script>"
)


def opened(browser: str, page: Path, profile: Path) -> tuple[float, float]:
    """Seconds of the whole browser process, and seconds until the page was laid out."""
    clocked = page.with_suffix(".clock.html")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    clocked.write_text(text.replace("</head>", f"{CLOCK}</head>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--dump-dom", clocked.as_uri(),
    ]  # fmt: skip
    started = time.perf_counter()
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    wall = time.perf_counter() - started
    found = re.search(r"<title>loaded ([\d.]+)", dom)
    return wall, float(found[1]) / 1000 if found else float("nan")


def measure(folder: Path) -> dict[str, float]:
    """All numbers, in a folder that may be filled."""
    started = time.perf_counter()
    run = write_run(folder / "run")
    simulated = time.perf_counter()
    page = write_report([run], folder / "report.html")
    found = {
        "simulate_s": simulated - started,
        "report_s": time.perf_counter() - simulated,
        "megabytes": page.stat().st_size / 1e6,
    }
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    if browser is None:
        return found
    empty = folder / "empty.html"
    empty.write_text("<!doctype html><html><head></head><body></body></html>")
    opened(browser, empty, folder / "profile")  # the first start fills the profile
    blank = min(opened(browser, empty, folder / "profile")[0] for _ in range(3))
    ours = [opened(browser, page, folder / "profile") for _ in range(3)]
    return found | {
        "open_s": min(loaded for _, loaded in ours),
        "browser_s": min(wall for wall, _ in ours),
        "browser_over_empty_page": min(wall for wall, _ in ours) / blank,
    }


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: round(value, 3) for name, value in measure(Path(folder)).items()}
    print(json.dumps({"bench": "report", **found}))


if __name__ == "__main__":
    main()
