"""OpenEnv: any of our environments behind a server, and its client.

Tested with openenv-core 0.3.0. ``serve`` builds the application; ``client`` talks to it over a
WebSocket, one session a client.
"""
