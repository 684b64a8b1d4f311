"""HDPO, SDPG and RLSD as plugins of OpenRLHF's `train_ppo_ray`: ordinary flags plus `--plugin`."""
