"""One self-contained page: no external resource, readable offline, without script, or printed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

from hdpo_env.report.findings import headline
from hdpo_env.report.markup import Markup, el
from hdpo_env.report.sections import content
from hdpo_env.report.study import Study
from hdpo_env.types import Problem

# Nothing may be fetched, and nothing run but our own script, whatever text ends up in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def page(
    study: Study, title: str, problems: Iterable[Problem] = (), *, show_gold: bool = False
) -> str:
    """The whole report as one HTML document.

    ``problems`` give the table of problems its questions, and gold answers if ``show_gold``.
    """
    sections = content(study, title, problems, show_gold=show_gold)
    script = asset("problems.js")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=f"{_POLICY}; {_allow(script)}"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title}: {headline(study)}"),
        el("style", Markup(stylesheet("chart.css") + stylesheet("page.css") + _switches(study))),
    )
    body = el("body", el("main", *sections), el("script", Markup(script)))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def stylesheet(name: str) -> str:
    """The text of a style sheet that ships with the package."""
    return asset(name)


def asset(name: str) -> str:
    """The text of a file that ships with the package for the report."""
    return (files("hdpo_env") / "assets" / "report" / name).read_text(encoding="utf-8")


def _allow(script: str) -> str:
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return f"script-src 'sha256-{digest}'"


def _switches(study: Study) -> str:
    # A variant that is switched off fades everywhere: style alone, no script.
    if len(study.variants) < 2:
        return ""
    return "".join(
        f"body:has(#show-{i}:not(:checked)) .v{i}{{opacity:.07}}"
        for i in range(len(study.variants))
    )
