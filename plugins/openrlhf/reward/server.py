"""An HTTP server that speaks OpenRLHF's remote-reward protocol, judged by our verifier's workers.

    python -m hdpo_plugins.openrlhf.reward.server --port 5000 --workers 8
    ... --reward.remote_url http://127.0.0.1:5000/get_reward

It needs ``pip install fastapi uvicorn``. There is no authentication: keep it on a private network.
"""

import argparse
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any

from hdpo_env.errors import ConfigError, HdpoError
from hdpo_env.hosting import require
from hdpo_plugins.openrlhf.reward.app import Limits, create_app
from hdpo_plugins.openrlhf.reward.judging import Judge, Settings

HELP = {
    "max_bytes": "of one request; more is refused with 413",
    "max_memory": "bytes of all requests that are not answered; more waits unread",
    "max_waiting": "completions with the judges; more waits, or is refused with 413 in one request",
    "max_connections": "open at one time; one more is refused with 503",
    "answer_s": "a request that is not judged by then is refused with 503; OpenRLHF waits 180 s",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hdpo_plugins.openrlhf.reward.server",
        description=(__doc__ or "").splitlines()[0],
    )
    settings, limits = Settings(), Limits()
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--verifier", default=settings.verifier, help="a verifier's name, or boxed")
    parser.add_argument("--workers", type=int, default=settings.workers, help="judging processes")
    parser.add_argument("--timeout-s", type=float, default=settings.timeout_s)
    parser.add_argument("--end-marks", nargs="*", default=list(settings.end_marks))
    for name, text in HELP.items():
        default = getattr(limits, name)
        flag = f"--{name.replace('_', '-')}"
        text = f"{text} (default: %(default)s)"
        parser.add_argument(flag, type=type(default), default=default, help=text)
    parser.add_argument("--grace-s", type=int, default=30, help="for open requests at the end")
    return parser


def _listening(host: str, port: int) -> socket.socket:
    """A socket at this address.

    Raises:
        ConfigError: there is none to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port {port} is none: give one from 0 to 65535")
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: {error.strerror}; give an address of this machine and a "
            "free port"
        ) from None


def _allow_files(count: int) -> None:
    """Let this process open so many files, connections among them, if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _server(args: argparse.Namespace) -> tuple[Any, socket.socket]:
    uvicorn = require("uvicorn", "uvicorn>=0.30")
    limits = Limits(**{field.name: getattr(args, field.name) for field in fields(Limits)})
    settings = Settings(args.verifier, args.workers, args.timeout_s, tuple(args.end_marks))
    judge = Judge(settings)
    app = create_app(judge, limits)
    listening = _listening(args.host, args.port)
    if fault := judge.fault():
        listening.close()
        judge.pool.close()
        raise ConfigError(f"--verifier {settings.verifier} cannot judge: {fault}")
    _allow_files(limits.max_connections + 8 * args.workers + 64)
    config = uvicorn.Config(
        app,
        host=args.host,
        port=args.port,
        timeout_graceful_shutdown=args.grace_s,
        limit_concurrency=limits.max_connections + 1,  # uvicorn refuses the one that reaches it
    )
    return uvicorn.Server(config), listening


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests that are open.

    A setting that cannot work is told in one sentence, with exit code 2.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        server, listening = _server(args)
    except HdpoError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
