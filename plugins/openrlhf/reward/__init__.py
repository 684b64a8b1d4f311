"""Our verifier as OpenRLHF's reward function, agent and remote reward server."""
