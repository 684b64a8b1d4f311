"""NeMo-RL: a batched environment.

Held to recorded signatures of NeMo-RL's source; not run with NeMo-RL itself.
"""
