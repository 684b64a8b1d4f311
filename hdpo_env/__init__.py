"""Environments, verified rollouts, cliffs, privileged context and exact distillation losses."""
