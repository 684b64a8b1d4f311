"""Pages and pictures on disk: written over nothing but a page or picture."""

from __future__ import annotations

from pathlib import Path

from hdpo_env.errors import ConfigError

_BEGINS = {"an HTML page": b"<!doctype html", "an SVG picture": b"<svg"}


def check_page(path: str | Path, kind: str = "an HTML page") -> None:
    """Refuse to write over a file that is no such page: a run's log, a problem file, a text.

    Raises:
        ConfigError: the path is a folder, or a file that begins otherwise and is not empty.
    """
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder: name a file")
    if not Path(path).is_file():
        return
    with Path(path).open("rb") as file:
        head = file.read(len(_BEGINS[kind]))
    if head and head.lower() != _BEGINS[kind]:
        raise ConfigError(f"{path} holds something else than {kind}: name another file")


def write_page(text: str, path: str | Path, kind: str = "an HTML page") -> Path:
    """Write a page where there is none, or one of its kind; makes the folder.

    Raises:
        ConfigError: the path is a folder, or a file of something else.
    """
    check_page(path, kind)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target
