"""``hdpo check``: hold our parts, your parts and every installed library to the same contracts."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from hdpo_env.conformance import Finding, Host, check_host, host_named, hosts
from hdpo_env.errors import ConfigError
from hdpo_env.targets import check_target, shipped_targets

_MARKS = {"ok": "ok", "failed": "FAILED", "not exercised": "-"}


@dataclass(frozen=True)
class Options:
    """What is checked. Exits 1 if a promise is broken, or if a required host is not exercised."""

    targets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    list: bool = False
    json: bool = False


def parse(args: Sequence[str]) -> Options:
    """Options from the command line, by the standard library alone: no extra is needed."""
    parser = argparse.ArgumentParser(prog="hdpo check", description=f"{__doc__}".replace("`", ""))
    parser.add_argument(
        "targets",
        nargs="*",
        help="a Gymnasium id, a source or verifier of ours, module:name of yours, or "
        "host:NAME; none checks everything of ours and every host",
    )
    parser.add_argument("--host", dest="hosts", action="append", default=[], help="only this host")
    parser.add_argument(
        "--require", action="append", default=[], help="fail if this host is not exercised"
    )
    parser.add_argument("--list", action="store_true", help="list hosts and versions, check none")
    parser.add_argument("--json", action="store_true", help="print findings as JSON")
    found = parser.parse_args(args)
    return Options(
        tuple(found.targets), tuple(found.hosts), tuple(found.require), found.list, found.json
    )


def run(options: Options) -> int:
    """Check, print, and say by the exit code whether a promise is broken."""
    if options.list:
        for host in hosts().values():
            print(_line(host))
        return 0
    findings = []
    for finding in _findings(options):
        findings.append(finding)
        if not options.json:
            print(_told(finding), flush=True)
    missing = [name for name in options.require if not _was_exercised(name, findings)]
    if options.json:
        print(json.dumps([asdict(f) for f in findings], indent=2))
    else:
        _print_summary(findings, missing)
    return 1 if missing or any(f.status == "failed" for f in findings) else 0


def _findings(options: Options) -> Iterator[Finding]:
    if options.targets and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # where your parts lie, as for python -m
    parts, asked = [], []
    for target in options.targets:
        (asked if target.startswith("host:") else parts).append(target.removeprefix("host:"))
    named = [*options.hosts, *options.require, *asked]
    everything = not parts and not named
    for target in shipped_targets() if everything else parts:
        yield _check_target(target)
    chosen = [host_named(name) for name in dict.fromkeys(named)]
    for host in hosts().values() if everything else chosen:
        with _quiet():
            found = list(check_host(host))
        yield from found


def _check_target(target: str) -> Finding:
    try:
        with _quiet():
            kind = check_target(target)
    except ConfigError:  # the command line is wrong, not the part
        raise
    except (AssertionError, Warning) as broken:
        return Finding("hdpo_env", target, "failed", str(broken))
    except Exception as error:
        return Finding("hdpo_env", target, "failed", f"{type(error).__name__}: {error}")
    return Finding("hdpo_env", target, "ok", kind)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Libraries print, warn and log while they work; only findings are news."""
    silence = io.StringIO()
    with (
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _was_exercised(name: str, findings: Sequence[Finding]) -> bool:
    own = [f for f in findings if f.host == name]
    return bool(own) and all(f.status != "not exercised" for f in own)


def _told(finding: Finding) -> str:
    detail = f"  ({finding.detail})" if finding.detail else ""
    return f"{_MARKS[finding.status]:>6}  {finding.host}: {finding.what}{detail}"


def _line(host: Host) -> str:
    here = f"installed {host.installed}" if host.installed else "not installed"
    tested = f"tested with {', '.join(host.tested)}" if host.tested else "recorded signatures only"
    return f"{host.name}: {here}; {tested}; an abstention becomes: {host.abstention}"


def _print_summary(findings: Sequence[Finding], missing: Sequence[str]) -> None:
    counts = Counter(f.status for f in findings)
    print(
        f"{counts['ok']} promises kept, {counts['failed']} broken, "
        f"{counts['not exercised']} not exercised"
    )
    for name in missing:
        host = host_named(name)
        tested = f"=={host.tested[0]}" if host.tested else ""
        print(f"{name} was required: pip install '{host.distribution}{tested}'")
