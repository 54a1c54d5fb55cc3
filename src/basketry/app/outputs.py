"""Files that a command will write: looked at before the work, so that it is not done for nothing."""

from __future__ import annotations

from pathlib import Path

from basketry.core.errors import RequestError


def check_output(path: str, what: str, *endings: str) -> None:
    """Raise RequestError unless `path` (empty: nothing to write) ends in one of `endings`, in a folder that is there."""
    if not path:
        return
    if not path.endswith(endings):
        raise RequestError(f"cannot {what} to {path}", f"name a file that ends with {' or '.join(endings)}")
    if not Path(path).parent.is_dir():
        raise RequestError(f"cannot {what} to {path}: there is no folder {Path(path).parent}", "make the folder first")
    if Path(path).is_dir():
        raise RequestError(f"cannot {what} to {path}: it is a folder", "name a file in it")
