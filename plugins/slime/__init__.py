"""slime and miles: a reward function, its batched form, and a filter of groups by verdicts.

Held to recorded signatures of slime's source; not run with slime itself.
"""
