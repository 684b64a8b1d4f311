"""Adapters to other people's trainers and environments, one folder per host.

The folder is installed under the import name ``hdpo_plugins``. An adapter is lazy: importing it
needs nothing but ``hdpo_env``; using it without its host says what to install. Adapters import
``hdpo_env`` and never its trainer; nothing in ``hdpo_env`` imports an adapter.
"""
