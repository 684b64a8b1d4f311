"""Find the final answer of a completion, in time linear in its length."""
