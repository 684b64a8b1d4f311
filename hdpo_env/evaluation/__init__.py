"""Policy x problems -> reports: pass@k with intervals, majority votes, comparisons, view audits."""

from hdpo_env.evaluation.compare import (
    Comparison,
    cliff_ids,
    compare_results,
    coverage,
    results_of_run,
)
from hdpo_env.evaluation.escape import ViewAudit, audit_views
from hdpo_env.evaluation.majority import majority_at
from hdpo_env.evaluation.protocols import PROTOCOLS, Protocol, ProtocolReport, run_protocol
from hdpo_env.evaluation.report import EvalReport, ProblemResult, evaluate, report_of

__all__ = [
    "evaluate",
    "report_of",
    "EvalReport",
    "ProblemResult",
    "coverage",
    "cliff_ids",
    "compare_results",
    "results_of_run",
    "Comparison",
    "majority_at",
    "PROTOCOLS",
    "Protocol",
    "ProtocolReport",
    "run_protocol",
    "audit_views",
    "ViewAudit",
]
