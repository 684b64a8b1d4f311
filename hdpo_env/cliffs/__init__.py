"""Cliffs: prompts on which every rollout failed, and what is known about them."""

from hdpo_env.cliffs.agreement import AgreementModel, fit_agreement
from hdpo_env.cliffs.beta import Beta
from hdpo_env.cliffs.evidence import Evidence, evidence_of
from hdpo_env.cliffs.fading import HintLadder
from hdpo_env.cliffs.groups import (
    GroupRates,
    classify,
    classify_correct,
    classify_counts,
    group_rates,
    phantom_gradient_rate,
    states_an_answer,
)
from hdpo_env.cliffs.ledger import LedgerWriter
from hdpo_env.cliffs.posterior import (
    BudgetRow,
    PriorFit,
    Retry,
    escape_limit,
    fit_prior,
    plan_budget,
)
from hdpo_env.cliffs.sampler import CliffSampler
from hdpo_env.cliffs.summary import Ledger, read_ledger
from hdpo_env.cliffs.transitions import EscapeTime, Transition
from hdpo_env.cliffs.triage import (
    Cause,
    Finding,
    cause_of,
    triage_groups,
    triage_rows,
)

__all__ = [
    "classify",
    "classify_correct",
    "classify_counts",
    "GroupRates",
    "group_rates",
    "phantom_gradient_rate",
    "states_an_answer",
    "Beta",
    "PriorFit",
    "fit_prior",
    "escape_limit",
    "Retry",
    "BudgetRow",
    "plan_budget",
    "LedgerWriter",
    "Ledger",
    "read_ledger",
    "Transition",
    "EscapeTime",
    "AgreementModel",
    "fit_agreement",
    "Cause",
    "Evidence",
    "Finding",
    "evidence_of",
    "cause_of",
    "triage_groups",
    "triage_rows",
    "CliffSampler",
    "HintLadder",
]
