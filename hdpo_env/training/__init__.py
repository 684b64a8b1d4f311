"""The parts of the reference trainer; ``hdpo_env.trainer`` puts them together."""
