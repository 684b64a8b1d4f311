"""Persistent worker processes that judge completions under hard limits."""

from hdpo_env.verifiers.pool.pool import VerifierPool

__all__ = ["VerifierPool"]
