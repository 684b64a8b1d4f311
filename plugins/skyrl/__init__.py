"""SkyRL-gym: an environment class, registered as ``hdpo``, and its rows.

Tested with skyrl-gym 0.4.0.
"""
