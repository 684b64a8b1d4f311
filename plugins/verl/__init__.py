"""verl: a reward function, an advantage estimator, two policy losses.

Tested with verl 0.9.1. ``reward`` needs no verl; ``algorithms`` registers with it on import. Rows
for ``RLHFDataset`` come from `hdpo_env.exports.to_verl`.
"""
