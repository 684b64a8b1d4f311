"""reasoning-gym: its tasks as problem sources, with streams that do not overlap and honest scores.

Tested with reasoning-gym 0.1.25.
"""
