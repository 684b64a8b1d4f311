"""prime-rl: an advantage function. Its environments are tasksets of verifiers 0.4.

Use ``hdpo_plugins.verifiers.v1`` for the environment; with a ``view`` its tasks carry the
``demonstration`` that ``opsd`` looks for. Held to recorded signatures of its source, of a state
that still had custom advantages; not run with prime-rl itself.
"""
