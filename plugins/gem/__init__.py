"""GEM: our environment by GEM's protocol, registered as ``hdpo:<source>``.

Tested with gem-llm 0.1.0.
"""
