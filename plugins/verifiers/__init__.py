"""verifiers, both lines: ``v0`` for 0.3.1 and earlier, ``v1`` for 0.4. prime-rl reads the latter.

Tested with verifiers 0.3.1 and 0.4.0.
"""
