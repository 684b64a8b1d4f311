r"""Judges of final answers: right, fast, unkillable, honest about not knowing.

Importing this package loads neither sympy nor mpmath; names resolve on first use.

>>> from hdpo_env.verifiers import MathVerifier
>>> MathVerifier().verify(r"So the total is $\boxed{\frac{1}{2}}$.", "0.5").correct
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdpo_env.verifiers.pool import VerifierPool
    from hdpo_env.verifiers.protocol import VERIFIERS, Verifier, check_gold
    from hdpo_env.verifiers.rewards import reward_fn, reward_of
    from hdpo_env.verifiers.simple import ExactVerifier
    from hdpo_env.verifiers.verify import MathVerifier

_HOME = {
    "Verifier": "protocol",
    "VERIFIERS": "protocol",
    "check_gold": "protocol",
    "MathVerifier": "verify",
    "ExactVerifier": "simple",
    "VerifierPool": "pool",
    "reward_of": "rewards",
    "reward_fn": "rewards",
}

__all__ = [
    "Verifier",
    "VERIFIERS",
    "check_gold",
    "MathVerifier",
    "ExactVerifier",
    "VerifierPool",
    "reward_of",
    "reward_fn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
