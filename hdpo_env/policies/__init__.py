"""Policies: tabular (enumerable), tiny (a laptop's language model), hf (any causal LM), vllm."""
