"""Why a run learns little, in sentences: what its groups, their causes and its metrics say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hdpo_env.cliffs.groups import GroupRates
from hdpo_env.cliffs.triage import ABOUT, TEACHES, Cause, Finding, remedy_of
from hdpo_env.types import GroupKind

MANY = 0.2  # a share of rollouts or groups from which on it is worth a word
MOST = 0.5
DEFECTS = {Cause.VERIFIER_FAULT, Cause.UNPARSABLE_GOLD, Cause.SUSPECTED_WRONG_GOLD}  # even one
FAULTS = 0.01  # verifier faults are bugs: one in a hundred is too many


def percent(share: float) -> str:
    """A share for people.

    >>> percent(0.615), percent(0.004)
    ('62 %', '0.4 %')
    """
    return f"{100 * share:.{0 if share >= 0.01 or share == 0 else 1}f} %"


class Symptom(NamedTuple):
    """What was seen, and what to do about it."""

    sentence: str
    remedy: str


@dataclass(frozen=True)
class Vitals:
    """What a diagnosis is made from.

    ``metrics`` are means over the last steps of a run, by the names of ``metrics.jsonl``; {} for
    rollouts from elsewhere. ``phantom_rate`` is the share of cliffs whose failures were rewarded
    differently all the same; None where the reward is the verdict's or is not known.
    """

    kinds: GroupRates
    findings: Sequence[Finding] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    phantom_rate: float | None = None


def headline(vitals: Vitals) -> str:
    """The state of the groups in one sentence, causes included.

    >>> headline(Vitals(GroupRates(num_cliff=3, num_saturated=1), metrics={"optim/grad_norm": 0.0}))
    'loss is 0: 75 % of groups are cliffs, 25 % are saturated'
    """
    shares = [
        f"{percent(vitals.kinds.rate(kind))} of groups are cliffs"
        if kind is GroupKind.CLIFF
        else f"{percent(vitals.kinds.rate(kind))} are {kind.value}"
        for kind in GroupKind
        if vitals.kinds.rate(kind)
    ]
    opening = "loss is 0: " if _is_still(vitals.metrics) else ""
    causes = Counter(finding.cause for finding in vitals.findings).most_common()
    of_which = ", ".join(
        f"{percent(n / len(vitals.findings))} {cause.value}" for cause, n in causes
    )
    why = f"; of those without a success: {of_which}" if causes else ""
    return f"{opening}{', '.join(shares) or 'there are no groups'}{why}"


def _is_still(metrics: Mapping[str, float]) -> bool:
    return metrics.get("optim/grad_norm", 1.0) == 0.0


def diagnose(vitals: Vitals) -> list[Symptom]:
    """Everything that calls for action, the most certain first; [] for a healthy run."""
    found = [symptom for rule in _RULES if (symptom := rule(vitals)) is not None]
    counts = Counter(finding.cause for finding in vitals.findings)
    hurt = vitals.kinds.rate(GroupKind.CLIFF) + vitals.kinds.rate(GroupKind.UNDECIDED)
    for cause, number in counts.most_common():
        if hurt < MANY and cause not in DEFECTS:
            continue
        share = number / len(vitals.findings)
        sentence = f"{percent(share)} of the groups without a success: {ABOUT[cause]}"
        found.append(Symptom(sentence, remedy_of(cause, vitals.metrics)))
    return found


def _faults(vitals: Vitals) -> Symptom | None:
    rate = vitals.metrics.get("verifier/abstention_rate", 0.0)
    if rate < FAULTS and vitals.kinds.rate(GroupKind.UNDECIDED) < FAULTS:
        return None
    undecided = vitals.kinds.rate(GroupKind.UNDECIDED)
    return Symptom(
        f"the verifier abstained: {percent(undecided)} of groups are undecided",
        "find the problems with hdpo audit, and judge in a VerifierPool",
    )


def _too_easy(vitals: Vitals) -> Symptom | None:
    rate = vitals.kinds.rate(GroupKind.SATURATED)
    if rate < MOST:
        return None
    return Symptom(
        f"{percent(rate)} of groups are solved by every rollout",
        "train on harder problems, or let CliffSampler leave out what is solved",
    )


def _cut(vitals: Vitals) -> Symptom | None:
    rate = vitals.metrics.get("rollouts/truncated_rate", 0.0)
    if rate < MANY:
        return None
    return Symptom(
        f"{percent(rate)} of completions are cut by the token limit",
        "raise --rollout.max-tokens before blaming the problems",
    )


def _no_help(vitals: Vitals) -> Symptom | None:
    metrics = vitals.metrics
    if not metrics.get(TEACHES) or metrics.get("privileged/kept", 1.0) > 0:
        return None
    rate = metrics.get("privileged/pass_rate", 0.0)
    return Symptom(
        f"no privileged rollout may teach (their pass rate is {rate:.2f})",
        "show more with another --view, more --algo.distill.rollouts-per-cliff, or a larger limit",
    )


def _leaks(vitals: Vitals) -> Symptom | None:
    metrics = vitals.metrics
    dropped = sum(v for k, v in metrics.items() if k.startswith("privileged/dropped_"))
    seen = dropped + metrics.get("privileged/kept", 0.0)
    leaked = metrics.get("privileged/dropped_leaked", 0.0)
    if not seen or leaked / seen < MANY:
        return None
    return Symptom(
        f"{percent(leaked / seen)} of privileged rollouts give away that they had help",
        "choose another teacher template or view: hdpo eval --views ranks them",
    )


def _deaf(vitals: Vitals) -> Symptom | None:
    mass = vitals.metrics.get("distill/saturated_mass", 0.0)
    if mass < MOST:
        return None
    return Symptom(
        f"JSD is saturated on {percent(mass)} of the distilled tokens: its gradient is next to 0",
        "use --algo.distill.divergence kl_teacher_student",
    )


def _phantom(vitals: Vitals) -> Symptom | None:
    if not vitals.phantom_rate:
        return None
    return Symptom(
        f"{percent(vitals.phantom_rate)} of cliffs get a phantom gradient: their "
        "failures were rewarded differently",
        "give reward for form only beside a success, or set the advantages of cliffs to 0",
    )


def _untaught(vitals: Vitals) -> Symptom | None:
    cliffs = vitals.kinds.rate(GroupKind.CLIFF)
    if cliffs < MANY or not vitals.metrics or TEACHES in vitals.metrics:
        return None
    return Symptom(
        f"{percent(cliffs)} of groups are cliffs, and nothing is distilled on them",
        "these rollouts are spent for nothing: --algo hdpo teaches from privileged rollouts",
    )


_RULES: tuple[Callable[[Vitals], Symptom | None], ...] = (
    _faults,
    _cut,
    _too_easy,
    _phantom,
    _untaught,
    _no_help,
    _leaks,
    _deaf,
)
