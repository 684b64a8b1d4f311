"""Decide whether two answers are the same: in stages, each sound, each allowed not to know."""
