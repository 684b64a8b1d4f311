"""``hdpo compare``: several algorithms and seeds side by side, one report."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hdpo_env.config import preset
from hdpo_env.errors import ConfigError, HdpoError

if TYPE_CHECKING:
    from hdpo_env.commands.progress import RunProgress
    from hdpo_env.training.runs import RunSpec


@dataclass(frozen=True)
class Options:
    """Run several algorithms and seeds, and write one report. Finished runs are kept."""

    preset: Literal["demo", "none"] = "none"
    """demo: the shipped small model; none: --algos on --model and --data."""
    algos: tuple[str, ...] = ()
    """Presets to compare, or variants of the demo to restrict it to."""
    seeds: int = 1
    """Seeds 0 to this number - 1."""
    model: str | None = None
    """Folder of a checkpoint, or a hub id."""
    data: str | None = None
    """Problem file, hub id or family, as in hdpo train."""
    flags: str = ""
    """More options of hdpo train for every run, as one quoted string."""
    steps: int | None = None
    """Optimiser steps of every run; the preset's number by default."""
    out: Path | None = None
    """Folder of the comparison; runs/<preset> by default."""
    pretrain: bool = False
    """Demo only: train a base model of its own for every seed (about 3 minutes each)."""
    workers: int = 0
    """Runs at a time; 0: one a CPU core, or one on a GPU."""
    overwrite: bool = False
    """Run again what is finished."""


def parse(args: Sequence[str]) -> Options:
    """The options; what follows ``--flags`` is its value although it begins with ``--`` itself."""
    import tyro

    words = list(args)
    at = words.index("--flags") if "--flags" in words else len(words)
    words[at : at + 2] = ["=".join(words[at : at + 2])] if at < len(words) else []
    return tyro.cli(Options, args=words, prog="hdpo compare")


def run(options: Options) -> int:
    """Run what is not finished yet, then write ``summary.json`` and ``report.html``."""
    for name, least in (("seeds", 1), ("workers", 0)):
        if getattr(options, name) < least:
            raise ConfigError(f"--{name} is {getattr(options, name)}: choose at least {least}")
    out = options.out or Path("runs") / ("demo" if options.preset == "demo" else "compare")
    specs = _demo_specs(options, out) if options.preset == "demo" else _preset_specs(options, out)
    _check_places(specs, out)
    started = time.monotonic()
    failures = _run_all(specs, options)
    for name, error in failures.items():
        print(f"{name} failed: {error}")
    done = [s.run_dir for s in specs if (s.run_dir / "summary.json").exists()]
    if not done:
        return 1
    summaries = [json.loads((folder / "summary.json").read_bytes()) for folder in done]
    (out / "summary.json").write_text(json.dumps(summaries, indent=2), encoding="utf-8")

    from hdpo_env.report import write_report

    print(_table(summaries))
    print(f"{len(summaries)} runs in {time.monotonic() - started:.0f} s")
    print(f"numbers: {out / 'summary.json'}\nreport:  {write_report(done, out / 'report.html')}")
    return 1 if failures else 0


def _check_places(specs: Sequence[RunSpec], out: Path) -> None:
    """Refuse, before the first run, what would overwrite files of something else.

    Raises:
        ConfigError: a run's folder, the summary's or the report's file is not ours.
    """
    from hdpo_env.report import check_page

    summary = out / "summary.json"
    if summary.exists() and not _is_comparison(summary):
        raise ConfigError(f"{summary} is not the summary of a comparison: choose another --out")
    check_page(out / "report.html")
    for spec in specs:
        spec.check_out()


def _is_comparison(summary: Path) -> bool:
    try:
        rows = json.loads(summary.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    mark = {"variant", "seed", "steps"}
    return isinstance(rows, list) and all(isinstance(r, dict) and r.keys() >= mark for r in rows)


def _demo_specs(options: Options, out: Path) -> list[RunSpec]:
    from hdpo_env import demo

    if options.model or options.data or options.flags:
        raise ConfigError("--preset demo brings its own model and problems: leave out the others")
    if unknown := sorted(set(options.algos) - set(demo.variants())):
        raise ConfigError(
            f"the demo has no variant {unknown[0]!r}; choose from: {', '.join(demo.variants())}"
        )
    bases = _pretrained(options, out) if options.pretrain else None
    return demo.run_specs(
        out,
        seeds=options.seeds,
        steps=demo.STEPS if options.steps is None else options.steps,
        only=options.algos,
        bases=bases,
    )


def _preset_specs(options: Options, out: Path) -> list[RunSpec]:
    from hdpo_env.commands import train

    if options.model is None or options.data is None or not options.algos:
        raise ConfigError(
            "compare needs --model, --data and --algos (for example --algos grpo hdpo sdpg), "
            "or --preset demo, which brings its own"
        )
    if options.pretrain:
        raise ConfigError("--pretrain belongs to --preset demo: other runs start from --model")
    judged = preset(options.algos[0]).eval  # one way of judging, or nothing could be compared
    shared = ["--model", options.model, "--data", options.data]
    shared += ["--eval.problems", str(judged.problems), "--eval.samples", str(judged.samples)]
    shared += ["--eval.ks", *map(str, judged.ks), *shlex.split(options.flags)]
    if options.steps is not None:
        shared += ["--steps", str(options.steps)]
    specs = []
    for name, seed in itertools.product(options.algos, range(options.seeds)):
        folder = out / f"{name}-seed{seed}"
        words = ["--algo", name, "--out", str(folder), "--seed", str(seed), *shared]
        specs.append(train.spec_of(train.parse(words)))
        distill = specs[-1].config.algo.distill
        if seed == 0 and specs[-1].config.steps < distill.decay_steps:
            print(
                f"{name}: its weight decays over {distill.decay_steps} steps, so over "
                f"{specs[-1].config.steps} it stays below its full value; see "
                "--algo.distill.decay-steps in --flags"
            )
    return specs


def _pretrained(options: Options, out: Path) -> dict[int, str]:
    folders = {seed: out / f"base-seed{seed}" for seed in range(options.seeds)}
    missing = {f"base-seed{s}": (s, f) for s, f in folders.items() if not f.exists()}
    failures = _in_processes(
        {name: (_pretrain_one, job) for name, job in missing.items()},
        dict.fromkeys(missing, 1),
        options.workers,
        lambda name: None,
    )
    for name, error in failures.items():
        raise ConfigError(f"pre-training of {name} failed: {error}")
    return {seed: str(folder) for seed, folder in folders.items()}


def _pretrain_one(seed: int, folder: Path) -> None:
    import torch

    from hdpo_env.policies.pretrain import PretrainConfig, pretrain

    torch.set_num_threads(1)
    aside = folder.with_name(f".{folder.name}")
    pretrain(PretrainConfig(), seed=seed).save(aside)
    aside.rename(folder)


def _run_all(specs: Sequence[RunSpec], options: Options) -> dict[str, str]:
    from hdpo_env.training.folders import state_of

    states = {
        s.run_dir.name: "new" if options.overwrite else state_of(s.run_dir, s.describe())
        for s in specs
    }
    waiting = {s.run_dir.name: s for s in specs if states[s.run_dir.name] != "finished"}
    return _in_processes(
        {n: (_run_one, (s, states[n] == "started")) for n, s in waiting.items()},
        {n: s.config.steps for n, s in waiting.items()},
        options.workers,
        lambda name: _last_line(waiting[name].run_dir / "metrics.jsonl"),
    )


def _run_one(spec: RunSpec, resume: bool) -> None:
    from transformers.utils.logging import disable_progress_bar

    from hdpo_env.training.runs import execute

    disable_progress_bar()
    execute(spec, resume=resume, threads=1)


def _in_processes(
    jobs: Mapping[str, tuple[Any, tuple[Any, ...]]],
    steps: Mapping[str, int],
    workers: int,
    newest: Any,
) -> dict[str, str]:
    """Run the jobs in their own processes; bars follow what they write. Returns the failures."""
    from hdpo_env.commands.progress import show_progress

    if not jobs:
        return {}
    context = multiprocessing.get_context("spawn")
    count = min(len(jobs), workers or _default_workers())
    with show_progress(steps) as bars, ProcessPoolExecutor(count, mp_context=context) as pool:
        futures = {name: pool.submit(work, *args) for name, (work, args) in jobs.items()}
        try:
            _follow(futures, steps, bars, newest)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {n: _sentence(f.exception()) for n, f in futures.items() if f.exception() is not None}


def _default_workers() -> int:
    import torch

    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def _follow(
    futures: Mapping[str, Future[None]],
    steps: Mapping[str, int],
    bars: RunProgress,
    newest: Any,
) -> None:
    open_jobs = dict(futures)
    while open_jobs:
        time.sleep(0.5)
        for name, future in list(open_jobs.items()):
            line = newest(name)
            if line is not None:
                bars.advance(name, min(line["step"] + 1, steps[name]), line)
            elif future.running():
                bars.note(name, "running")
            if future.done():
                bars.advance(name, steps[name], {})
                bars.note(name, "failed" if future.exception() else "done")
                del open_jobs[name]


def _last_line(path: Path) -> dict[str, float] | None:
    """The newest complete line of a metrics file."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16384))
        lines = file.read().decode(errors="ignore").splitlines()
    for line in reversed(lines):
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            continue
    return None


def _sentence(error: BaseException | None) -> str:
    return str(error) if isinstance(error, HdpoError) else f"{type(error).__name__}: {error}"


def _table(summaries: Sequence[Mapping[str, Any]]) -> str:
    """One line a run: what the report says at length."""
    slices = [k for k, v in summaries[0].items() if isinstance(v, dict) and k != "start"]
    names = [f"{s['variant']} seed {s['seed']}" for s in summaries]
    width = max(map(len, names)) + 2
    head = "run".ljust(width) + "".join(f"{s + ' pass@1/8':>20}" for s in slices)
    rows = [head]
    for name, summary in zip(names, summaries, strict=True):
        cells = [
            "".join(f"{summary[s].get(k, float('nan')):>10.3f}" for k in ("pass@1", "pass@8"))
            for s in slices
        ]
        rows.append(name.ljust(width) + "".join(cells))
    return "\n".join(rows)
