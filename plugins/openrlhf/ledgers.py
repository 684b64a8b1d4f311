"""Where a run keeps its cliff ledger, and whether it may: asked on the driver and again later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hdpo_env.cliffs.ledger import LedgerWriter
from hdpo_env.cliffs.summary import read_ledger
from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf.plugins import Args

WRITER = "trainer"
PLACES = ("ckpt.path", "ckpt.output_dir", "hdpo.ledger", "logger.tensorboard_dir")


def ledger_folder(args: Args) -> Path:
    """Where the run's ledger is."""
    return Path(args["hdpo.ledger"] or Path(args["ckpt.path"]) / "ledger")


def ledger_complaint(args: Args, num_events: int | None = None) -> str | None:
    """Why this run may not write there: the groups of an earlier one would be mixed with its own.

    ``num_events`` is what the ledger holds; None looks into the folder, as this machine sees it.
    """
    folder = ledger_folder(args)
    if num_events is None:
        file = folder / f"{WRITER}.events"
        num_events = read_ledger(folder, writer=WRITER).num_events if file.is_file() else 0
    if not num_events or args["ckpt.load_enable"]:
        return None
    return (
        f"the ledger {folder} holds an earlier run, whose groups this one would be mixed with: "
        "pass --ckpt.load_enable to go on with it, or choose another --hdpo.ledger"
    )


def place_complaints(args: Args, here: Path | None = None) -> Iterator[str]:
    """Why a Ray job with a working directory would lose what it writes.

    ``here`` is the current folder; Ray unpacks a job's working directory as ``_ray_pkg_<hash>``
    inside its session, on whichever node it likes, and deletes it some time after the job.
    """
    here = here or Path.cwd()
    if not any(part.startswith("_ray_pkg_") for part in here.parts):
        return
    for name in PLACES:
        if (place := args.get(name)) and not Path(place).is_absolute():
            yield (
                f"--{name} {place} lies in this Ray job's own copy of its working directory, which "
                "Ray deletes and a later job does not see: give an absolute path that every node "
                "sees"
            )


def open_ledger(args: Args) -> LedgerWriter:
    """The run's ledger.

    Raises:
        ConfigError: `ledger_complaint` of what the machine that writes finds there.
    """
    model = Path(str(args["actor.model_name_or_path"])).name
    writer = LedgerWriter(ledger_folder(args), writer=WRITER, policy=model)
    if found := ledger_complaint(args, writer.state_dict()["num_events"]):
        writer.close()
        raise ConfigError(found)
    return writer
