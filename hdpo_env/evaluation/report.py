"""Policy x problems -> report: greedy accuracy, pass@k with intervals, cliffs, honesty counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from hdpo_env.cliffs.groups import GroupRates, group_rates
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.evaluation.majority import majority_at
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import Judge, Policy, judge, sample_groups
from hdpo_env.stats import Estimate, mean_over_problems, pass_at_k
from hdpo_env.types import Group, GroupKind, Problem, Prompt, derive_seed


@dataclass(frozen=True)
class ProblemResult:
    """What one problem's rollouts came to. ``greedy`` is None without a verdict."""

    problem_id: str
    n: int  # rollouts that were judged
    correct: int
    abstained: int
    truncated: int
    greedy: bool | None = None


@dataclass(frozen=True)
class EvalReport:
    """An evaluation. Every interval is over problems; an estimate is None when nothing supports it.

    ``pass_at[k]`` leaves out problems with fewer than k judged rollouts; ``num_used[k]`` counts the
    ones it is averaged over. Abstentions are never counted as failures.
    """

    results: tuple[ProblemResult, ...] = field(repr=False)
    pass_at: Mapping[int, Estimate | None]
    num_used: Mapping[int, int]
    greedy: Estimate | None
    kinds: GroupRates
    abstention_rate: float
    truncation_rate: float
    mean_tokens: float
    maj_at: Mapping[int, Estimate] = field(default_factory=dict)

    @property
    def cliff_rate(self) -> float:
        """The share of problems on which every rollout failed."""
        return self.kinds.rate(GroupKind.CLIFF)

    def metrics(self, prefix: str = "eval") -> dict[str, float]:
        """Numbers for logs: ``<prefix>/greedy``, ``pass@k``, ``maj@k``, each with low and high."""
        estimates: dict[str, Estimate | None] = {"greedy": self.greedy}
        estimates |= {f"pass@{k}": estimate for k, estimate in self.pass_at.items()}
        estimates |= {f"maj@{k}": estimate for k, estimate in self.maj_at.items()}
        flat = {
            f"{prefix}/cliff_rate": self.cliff_rate,
            f"{prefix}/abstention_rate": self.abstention_rate,
            f"{prefix}/truncated_rate": self.truncation_rate,
            f"{prefix}/tokens": self.mean_tokens,
        }
        for name, estimate in estimates.items():
            if estimate is not None:
                value, low, high = estimate
                flat |= {f"{prefix}/{name}": value}
                flat |= {f"{prefix}/{name}/low": low, f"{prefix}/{name}/high": high}
        return flat

    def rows(self) -> list[dict[str, object]]:
        """One JSON-able object per problem."""
        return [asdict(result) for result in self.results]


def evaluate(
    policy: Policy,
    problems: Sequence[Problem],
    *,
    n: int,
    ks: Iterable[int] = (1, 4, 8),
    temperature: float = 1.0,
    max_tokens: int,
    seed: int,
    greedy: bool = True,
    prompt_of: Callable[[Problem], Prompt] = student_prompt,
    judge: Judge = judge,
    confidence: float = 0.95,
    maj_ks: Iterable[int] = (),
) -> EvalReport:
    """Sample ``n`` completions per problem, and one greedy completion, and report.

    ``maj_ks`` also asks for majority votes among so many completions; see `majority_at`.

    Raises:
        ConfigError: a ``k`` is outside 1 to ``n``.
        DataError: there is no problem.
    """
    wanted, votes = _checked_ks(ks, n), _checked_ks(maj_ks, n)
    if not problems:
        raise DataError("there are no problems to evaluate: give at least one")

    def draw(num: int, seed: int, greedy: bool) -> list[Group]:
        return sample_groups(
            policy,
            problems,
            num=num,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            greedy=greedy,
            prompt_of=prompt_of,
            judge=judge,
        )

    groups = draw(n, derive_seed("evaluate", "sampled", seed), False)
    best = draw(1, derive_seed("evaluate", "greedy", seed), True) if greedy else None
    return report_of(groups, best, ks=wanted, confidence=confidence, maj_ks=votes)


def report_of(
    groups: Sequence[Group],
    greedy_groups: Sequence[Group] | None = None,
    *,
    ks: Iterable[int] = (1,),
    confidence: float = 0.95,
    maj_ks: Iterable[int] = (),
) -> EvalReport:
    """The report of groups that were sampled elsewhere, by whatever system.

    Raises:
        ConfigError: a ``k`` is larger than the smallest group.
        DataError: there is no group, or the greedy groups are of other problems.
    """
    if not groups:
        raise DataError("there are no groups to report on: sample at least one")
    wanted = _checked_ks(ks, min(group.size for group in groups))
    results = tuple(_results(groups, greedy_groups))
    used = {k: [r for r in results if r.n >= k] for k in wanted}

    def estimate(values: Sequence[float]) -> Estimate | None:
        return mean_over_problems(values, confidence=confidence) if values else None

    completions = [rollout.completion for group in groups for rollout in group.rollouts]
    return EvalReport(
        results=results,
        pass_at={k: estimate([pass_at_k(r.n, r.correct, k) for r in used[k]]) for k in wanted},
        num_used={k: len(used[k]) for k in wanted},
        greedy=estimate([float(r.greedy) for r in results if r.greedy is not None]),
        kinds=group_rates(groups),
        abstention_rate=sum(r.abstained for r in results) / len(completions),
        truncation_rate=sum(c.is_truncated for c in completions) / len(completions),
        mean_tokens=sum(c.num_tokens for c in completions) / len(completions),
        maj_at=majority_at(groups, maj_ks, confidence=confidence),
    )


def _results(
    groups: Sequence[Group], greedy_groups: Sequence[Group] | None
) -> Iterable[ProblemResult]:
    best = greedy_groups or [None] * len(groups)
    if len(best) != len(groups):
        raise DataError(f"{len(best)} greedy groups for {len(groups)} groups: give one for each")
    for group, top in zip(groups, best, strict=True):
        if top is not None and top.problem.id != group.problem.id:
            raise DataError(
                f"greedy group of problem {top.problem.id} stands where {group.problem.id} is: "
                "give both in the same order"
            )
        abstained = group.correct.count(None)
        yield ProblemResult(
            problem_id=group.problem.id,
            n=group.size - abstained,
            correct=group.correct.count(True),
            abstained=abstained,
            truncated=sum(r.completion.is_truncated for r in group.rollouts),
            greedy=top.correct[0] if top is not None else None,
        )


def _checked_ks(ks: Iterable[int], n: int) -> tuple[int, ...]:
    wanted = tuple(dict.fromkeys(ks))
    if bad := [k for k in wanted if not 1 <= k <= n]:
        raise ConfigError(
            f"pass@{bad[0]} cannot be estimated from n={n} completions a problem: "
            f"choose k in 1 to {n}, or draw more completions"
        )
    return wanted
