"""verl: a reward function, an advantage estimator, two policy losses and rows.

Tested with verl 0.9.1. ``reward`` needs no verl; ``algorithms`` registers with it on import.
"""
