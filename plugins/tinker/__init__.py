"""tinker-cookbook: a ``ProblemEnv``.

Held to recorded signatures of tinker-cookbook's source; not run with it.
"""
