"""``hdpo serve``: an environment over OpenEnv's protocol, and its verifier over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hdpo_env.env.parts import source_of
from hdpo_env.hosting import require
from hdpo_env.problems.source import setting_of


@dataclass(frozen=True)
class Options:
    """What is served, where, and how much of it at a time."""

    problems: str = "linear"
    host: str = "127.0.0.1"
    port: int = 8000
    max_turns: int = 1
    max_sessions: int = 16
    max_connections: int = 256
    verifier: str | None = None
    workers: int = 2
    settings: tuple[tuple[str, int | str], ...] = ()


def parse(args: Sequence[str]) -> Options:
    """Options from the command line.

    Raises:
        ConfigError: a setting is not written as NAME=VALUE.
    """
    parser = argparse.ArgumentParser(prog="hdpo serve", description=f"{__doc__}".replace("`", ""))
    parser.add_argument(
        "problems",
        nargs="?",
        default="linear",
        help="a problem source of ours, a file or a data set",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the source, such as level=3",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--max-turns", type=int, default=1, help="attempts per problem")
    parser.add_argument("--max-sessions", type=int, default=16, help="WebSocket sessions at a time")
    parser.add_argument("--max-connections", type=int, default=256, help="refuse more with 503")
    parser.add_argument("--verifier", help="also serve POST /verify with this verifier")
    parser.add_argument("--workers", type=int, default=2, help="processes that judge for /verify")
    found = vars(parser.parse_args(args))
    found["settings"] = tuple(setting_of(text) for text in found["settings"])
    return Options(**found)


def run(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; open sessions get five seconds to end."""
    # A wrong name, file or setting is refused before anything is imported.
    source = source_of(options.problems, dict(options.settings))
    install = "openenv-core==0.3.0"
    uvicorn = require("uvicorn", install)
    require("openenv.core", install)
    server = import_module("hdpo_plugins.openenv.serve")
    app = server.application(source, max_sessions=options.max_sessions, max_turns=options.max_turns)
    with contextlib.ExitStack() as stack:
        if options.verifier:
            pool = server.add_verifier(app, verifier=options.verifier, workers=options.workers)
            stack.enter_context(pool)
        config = uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            log_level="warning",
            limit_concurrency=options.max_connections,
            ws_max_size=1 << 21,
            timeout_graceful_shutdown=5,
        )
        _announced(uvicorn.Server, options)(config).run()
    return 0


def _announced(server: Callable[..., Any], options: Options) -> Any:
    """A server that says where it listens once it does, so that port 0 is of use."""

    class Announced(server):  # type: ignore[misc, valid-type]
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for at in (s for listening in self.servers for s in listening.sockets):
                host, port = at.getsockname()[:2]
                what = f"{options.problems} on ws://{host}:{port}/ws"
                if options.verifier:
                    what += f" and its verifier on http://{host}:{port}/verify"
                print(f"serving {what}", file=sys.stderr, flush=True)

    return Announced
