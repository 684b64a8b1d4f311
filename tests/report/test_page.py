"""The page as a document: complete, self-contained, safe, small, accessible."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hdpo_env.errors import DataError
from hdpo_env.report import write_figure, write_report
from hdpo_env.report.html import asset

HOSTILE = (
    "</pre></body><script>document.title='owned'</script><img src=x onerror=alert(1)>"
    "<style>*{display:none}</style><a href='javascript:alert(1)'>x</a>&#60;b&#62;"
    "\u202eevil\u202c \x00 \x1b[31m \ud83d half -- <!-- ]]> ${7*7} {{7*7}}"
)
VOID = {"meta", "input", "br", "hr"}


class Document(HTMLParser):
    """Checks nesting while it reads and remembers elements with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(writer: Callable, tmp_path: Path) -> str:
    root = writer(texts=(HOSTILE, "plain")).study(seeds=2)
    return write_report([root], tmp_path / "report.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_and_nothing_foreign_runs(page: str) -> None:
    """No link, no source, no import, and one script, ours: the policy allows its hash alone."""
    document = Document(page)
    tags = {tag for tag, _ in document.elements}
    (script,) = document.texts["script"]
    assert script == asset("problems.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert len(document.all("script")) == 1
    assert not tags & {"link", "img", "iframe", "object", "embed", "a", "base", "form"}
    for _, attributes in document.elements:
        assert not {"src", "href", "action", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    styles = "".join(document.texts["style"])
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = [m["content"] for m in document.all("meta") if "http-equiv" in m]
    assert str(policy).startswith("default-src 'none'")
    assert str(policy).endswith(f"script-src 'sha256-{digest}'")


def test_hostile_model_text_stays_text(page: str) -> None:
    """What a model wrote is shown letter by letter, invisible marks as code points."""
    document = Document(page)
    shown = [t for t in document.texts["pre"] if "owned" in t]
    assert shown
    assert "<script>document.title='owned'</script>" in shown[0]
    assert "[U+202E]evil" in shown[0]
    assert "[U+0000]" in shown[0]
    assert "[U+D83D] half" in shown[0]
    assert document.texts["title"][0] != "owned"


def test_hostile_names_stay_text(writer: Callable, tmp_path: Path) -> None:
    """Folder, variant, slice, problem and config names are as little trusted as completions."""
    made = writer(steps=10)
    folder = made.run("grpo", _demo(made)["grpo"], 0)
    evil = '"><script>x</script>'
    for name in ("eval.jsonl", "groups.jsonl", "completions.jsonl"):
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        rows = [{**r, "problem_id": evil, "outcome": evil, "role": evil} for r in rows]
        (folder / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    metrics = (folder / "metrics.jsonl").read_text().replace("eval/faint/", "eval/<b onclick=x>/")
    (folder / "metrics.jsonl").write_text(metrics)
    summary = json.loads((folder / "summary.json").read_text()) | {"variant": evil}
    (folder / "summary.json").write_text(json.dumps(summary))
    text = write_report([folder], tmp_path / "r.html").read_text()
    document = Document(text)
    assert "b" not in {tag for tag, _ in document.elements}
    assert document.texts["script"] == [asset("problems.js")]
    assert "onclick" not in {name for _, a in document.elements for name in a}


def _demo(writer: object) -> dict:
    import sys

    return sys.modules[type(writer).__module__].DEMO


def test_every_figure_is_named_and_ids_are_unique(page: str) -> None:
    """Each picture has a title and a description that exist once; tables have header scopes."""
    document = Document(page)
    ids = [a["id"] for _, a in document.elements if "id" in a]
    assert len(ids) == len(set(ids))
    pictures = [a for a in document.all("svg") if a.get("role") == "img"]
    assert len(pictures) >= 10
    for picture in pictures:
        assert set(str(picture["aria-labelledby"]).split()) <= set(ids)
    assert all(a.get("aria-hidden") == "true" for a in document.all("svg") if "role" not in a)
    assert document.all("html")[0]["lang"] == "en"
    assert all("scope" in a or "rowspan" in a for a in document.all("th"))
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels[1] == 2
    assert set(levels[1:]) <= {2, 3}


def test_numbers_on_the_page_are_the_numbers_in_the_files(writer: Callable, tmp_path: Path) -> None:
    """The result cell of one seed is the file's last pass@8; transitions count every problem."""
    root = writer(steps=20, num_problems=25).study(seeds=1)
    text = write_report([root], tmp_path / "r.html").read_text()
    last = json.loads((root / "hdpo-strong-seed0/metrics.jsonl").read_text().splitlines()[-1])
    expected = f"{last['eval/cliff/pass@8']:.3f}".removeprefix("0")
    results = text[text.index('<table class="results">') :]
    row = re.search(r"hdpo-strong</th>(.*?)</tr>", results, re.S)
    assert row is not None
    assert re.findall(r'class="num">([\d.]+)', row[1])[3] == expected
    moves = re.findall(r"<caption>hdpo-strong</caption>.*?</table>", text, re.S)[0]
    assert sum(int(n) for n in re.findall(r"--share[^>]*>(\d+)<", moves)) == 25


def test_one_seed_is_marked_and_three_have_intervals(writer: Callable, tmp_path: Path) -> None:
    """One seed shows no interval and says so; several show Student t intervals."""
    one = write_report([writer("a", steps=10).study(seeds=1)], tmp_path / "1.html").read_text()
    three = write_report([writer("b", steps=10).study(seeds=3)], tmp_path / "3.html").read_text()
    assert "One seed, no interval." in one
    assert "<small>" not in re.findall(r'<table class="results">.*?</table>', one, re.S)[0]
    assert re.search(r"<small>\.\d{3}–[.1]\d*</small>", three)
    assert "One seed" not in three


def test_departures_name_setting_preset_and_run(writer: Callable, tmp_path: Path) -> None:
    """A changed setting is listed with the preset's value and ours; unchanged ones are not."""
    root = writer(steps=10).study(seeds=1)
    text = write_report([root], tmp_path / "r.html").read_text()
    table = text[text.index("Departures from the presets") :]
    assert "<code>steps</code></th><td>2000</td><td>10</td><td>grpo, hdpo-gentle, " in table
    assert "kl_teacher_student</td><td>faint-kl</td>" in table
    assert "group_size" not in table


def test_what_was_skipped_is_on_the_page(writer: Callable, tmp_path: Path) -> None:
    """Torn lines and runs that stopped early are named at the end of the report."""
    root = writer(steps=40).study(seeds=1)
    metrics = root / "grpo-seed0" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:30]) + '{"step": 30, "rew')
    text = write_report([root], tmp_path / "r.html").read_text()
    assert "grpo-seed0 stopped at step 29 of 40." in text
    assert "grpo-seed0/metrics.jsonl: skipped line 31 was cut off in writing." in text


def test_the_same_runs_give_the_same_bytes(writer: Callable, tmp_path: Path) -> None:
    """Nothing of the clock, the machine or the hash seed is on the page."""
    root = writer(steps=10).study(seeds=1)
    pages = [write_report([root], tmp_path / name).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_a_minimal_run_has_a_report(tmp_path: Path) -> None:
    """One metrics line is enough; sections without data are left out, not empty."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 0, "groups/cliff_rate": 0.5}\n')
    document = Document(write_report([folder], tmp_path / "r.html").read_text())
    headings = document.texts["h2"]
    assert "During training" in headings
    assert "From cliff to mixed to saturated" not in headings


def test_a_page_is_named_after_the_comparison(writer: Callable, tmp_path: Path) -> None:
    """Sibling runs are named after the folder that holds them."""
    made = writer("study", steps=10)
    made.study(seeds=1)
    text = write_report(made.written, tmp_path / "r.html").read_text()
    assert "<title>study: " in text


def test_long_texts_are_cut_and_say_so(writer: Callable, tmp_path: Path) -> None:
    """Half a megabyte of completion does not become half a megabyte of page."""
    root = writer(steps=10, texts=("x" * 500_000,)).study(seeds=1)
    path = write_report([root], tmp_path / "r.html")
    assert path.stat().st_size < 1_000_000
    assert "first 1500 of 500000 characters" in path.read_text()


def test_a_large_run_stays_small(writer: Callable, tmp_path: Path) -> None:
    """2,000 problems, 100 steps: below the 5 MB that a mail can carry."""
    made = writer(steps=100, num_problems=2000)
    made.run("hdpo-strong", _demo(made)["hdpo-strong"], 0)
    path = write_report([made.root], tmp_path / "r.html")
    assert path.stat().st_size < 5_000_000
    assert "240 of 2000 problems, evenly chosen" in path.read_text()


def test_figure_is_one_svg_for_any_background(writer: Callable, tmp_path: Path) -> None:
    """The README's picture is well-formed, holds both panels, and paints no background."""
    root = writer(steps=20).study(seeds=2)
    path = write_figure(root, tmp_path / "f.svg")
    tree = ElementTree.parse(path).getroot()
    panels = [
        t.text for t in tree.iter("{http://www.w3.org/2000/svg}text") if t.get("class") == "panel"
    ]
    assert panels == ["Cliff pass@8", "Easy pass@1"]
    assert "GRPO ends at" in str(tree[0].text)
    assert "--paper: none" in path.read_text()
    with pytest.raises(DataError, match="no folder"):
        write_figure(tmp_path / "none", tmp_path / "g.svg")
