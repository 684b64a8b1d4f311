"""The page in a real browser: nothing overlaps, overflows, runs, or ignores the colour scheme."""

from __future__ import annotations

import html
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hdpo_env.report import write_report

REPO = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed to open the page in"),
]

# Runs inside a copy of the page without its content policy; finds what a reader would stumble on.
MEASURE = """
function boxes(svg) {
  return [...svg.querySelectorAll('text')].filter(t => t.getClientRects().length).map(t => {
    const r = t.getBoundingClientRect();
    return {text: t.textContent, left: r.left, right: r.right, top: r.top, bottom: r.bottom};
  });
}
function measure() {
  const root = document.documentElement, overlaps = [], cut = [];
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const found = boxes(svg);
    found.forEach((a, i) => {
      if (a.left < -0.5 || a.right > root.clientWidth + 0.5) cut.push(a.text);
      found.slice(i + 1).forEach(b => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 0.35 * (a.bottom - a.top)) overlaps.push([a.text, b.text]);
      });
    });
  }
  return {
    overflow: root.scrollWidth - root.clientWidth, overlaps, cut,
    figures: document.querySelectorAll('svg[role=img]').length,
    paper: getComputedStyle(root).backgroundColor,
    ink: getComputedStyle(document.querySelector('h1')).color,
    title: document.title,
  };
}
"""


def _open(page: Path, *flags: str) -> str:
    """The page's document after it was opened, as text."""
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=4000",
        *flags, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def _measure(report: Path, width: int, *flags: str, code: str = "measure()") -> dict:
    """What the measuring script, or other code, finds in a frame of this width."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    script = "parent.document.body.textContent = JSON.stringify(CODE)".replace("CODE", code)
    inner = text.replace("</body>", f"<script>{MEASURE};onload=()=>{{{script}}}</script></body>")
    frame = f'<iframe srcdoc="{html.escape(inner)}" style="width:{width}px;height:900px"></iframe>'
    outer = report.with_name(f"frame-{width}.html")
    outer.write_text(f"<!doctype html><body>{frame}")
    found = re.search(r"<body>(.*)</body>", _open(outer, *flags), re.S)
    assert found is not None
    return json.loads(html.unescape(found[1]))


@pytest.fixture
def report(writer: Callable, tmp_path: Path) -> Path:
    return write_report([writer(steps=60).study(seeds=3)], tmp_path / "report.html")


@pytest.mark.parametrize("width", [1180, 820, 375])
def test_no_text_overlaps_or_is_cut(report: Path, width: int) -> None:
    """On a desk, a tablet and a telephone, words in figures neither touch nor leave the page."""
    found = _measure(report, width)
    assert found["figures"] >= 10
    assert found["overflow"] <= 0
    assert found["overlaps"] == []
    assert found["cut"] == []


def test_dark_readers_get_a_dark_page(report: Path) -> None:
    """The colour scheme of the reader decides, without a switch or a script."""
    light = _measure(report, 1180, "--blink-settings=preferredColorScheme=1")
    dark = _measure(report, 1180, "--blink-settings=preferredColorScheme=0")
    assert (light["paper"], dark["paper"]) == ("rgb(255, 255, 255)", "rgb(20, 24, 28)")
    assert (light["ink"], dark["ink"]) == ("rgb(28, 34, 40)", "rgb(231, 235, 239)")


def test_hostile_text_does_not_run(writer: Callable, tmp_path: Path) -> None:
    """A completion that tries to take over the page stays a completion in a real browser."""
    steal = "document.title='owned'"
    attack = f"</pre><script>{steal}</script><img src=x onerror={steal}>"
    root = writer(steps=10, texts=(attack,)).study(seeds=1)
    page = write_report([root], tmp_path / "report.html")
    document = _open(page)
    assert "<title>study: " in document
    assert "&lt;script&gt;document.title='owned'" in document


def test_the_policy_stops_even_injected_scripts(writer: Callable, tmp_path: Path) -> None:
    """Were the escaping ever to fail, the page's own policy would still refuse to run anything."""
    page = write_report([writer(steps=10).study(seeds=1)], tmp_path / "report.html")
    broken = page.read_text().replace("</main>", "</main><script>document.title='owned'</script>")
    page.write_text(broken)
    assert "<title>owned" not in _open(page)
    page.write_text(re.sub(r"<meta http-equiv[^>]*>", "", broken))
    assert "<title>owned" in _open(page)


SEARCH = """
(() => {
  const table = document.querySelector('table.problems');
  const bar = document.querySelector('[role=search]');
  const [search, choice, count] = ['input', 'select', 'output'].map(t => bar.querySelector(t));
  const shown = () => [...table.tBodies].filter(b => !b.hidden).map(b => ({
    id: b.rows[0].cells[0].firstChild.textContent, place: b.dataset.s,
    rate: Number(b.rows[0].cells[4].dataset.v)}));
  const all = shown(), first = count.textContent;
  search.value = 'HALF A WORD'; search.oninput();
  const said = shown(), told = count.textContent;
  search.value = ''; choice.value = 'escaped'; choice.onchange();
  const escaped = shown();
  choice.value = ''; choice.onchange();
  const head = table.tHead.rows[0].cells[4].querySelector('button');
  head.click();
  const up = shown().map(p => p.rate);
  head.click();
  return {all, first, said, told, escaped, up, down: shown().map(p => p.rate),
          sort: table.tHead.rows[0].cells[4].getAttribute('aria-sort')};
})()
"""


def test_problems_are_searched_filtered_and_sorted(writer: Callable, tmp_path: Path) -> None:
    """Words of a completion find its problem; a standing filters; a heading sorts, twice back."""
    made = writer(steps=60, texts=("a text with half a word in it",))
    folder = made.run("hdpo-strong", _demo(made)["hdpo-strong"], 0)
    groups = [json.loads(line) for line in (folder / "groups.jsonl").read_text().splitlines()]
    spoken = sorted({g["problem_id"] for g in groups if g["slice"] == "cliff"})[0]
    rows = [json.loads(line) for line in (folder / "completions.jsonl").read_text().splitlines()]
    lines = (json.dumps(row | {"problem_id": spoken}) + "\n" for row in rows)
    (folder / "completions.jsonl").write_text("".join(lines))
    page = write_report([folder], tmp_path / "report.html")
    found = _measure(page, 1180, code=SEARCH)
    ids = {g["problem_id"] for g in groups}
    assert {p["id"] for p in found["all"]} == ids
    assert found["first"] == f"{len(ids)} of {len(ids)}"
    assert [p["id"] for p in found["said"]] == [spoken]
    assert found["told"] == f"1 of {len(ids)}"
    escaped = [p for p in found["all"] if p["place"] == "escaped"]
    assert 0 < len(escaped) < len(ids)
    assert found["escaped"] == escaped
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["down"], reverse=True)
    assert len(found["down"]) == len(ids)
    assert found["sort"] == "descending"


def _demo(writer: object) -> dict:
    return sys.modules[type(writer).__module__].DEMO


def test_the_page_is_whole_without_its_script(writer: Callable, tmp_path: Path) -> None:
    """Where no script may run every row is there, and no dead search box or button is."""
    page = write_report([writer(steps=20).study(seeds=1)], tmp_path / "report.html")
    assert 'role="search"' in _open(page)
    num_rows = page.read_text().count("<tbody data-s=")
    page.write_text(re.sub(r'; script-src [^"]*', "", page.read_text()))
    document = _open(page)
    assert document.count("<tbody data-s=") == num_rows > 50
    assert 'role="search"' not in document
    assert "<button" not in document


def test_a_run_of_2000_problems_opens_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 problems in 100 steps: below 5 MB, laid out in less than 2 s, nothing overlapping."""
    monkeypatch.syspath_prepend(str(REPO))
    found = importlib.import_module("benchmarks.report").measure(tmp_path)
    assert found["megabytes"] < 5
    assert found["open_s"] < 2
    page = tmp_path / "report.html"
    assert page.read_text().count("<tbody data-s=") == 2000
    seen = _measure(page, 1180)
    assert seen["overlaps"] == []
    assert seen["cut"] == []
    assert seen["overflow"] <= 0
