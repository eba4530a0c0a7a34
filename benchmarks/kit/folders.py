"""What turns write to disk."""

import os
from pathlib import Path


def let_go(folder: Path) -> None:
    """Cut the files that a turn has written, so that the next one does not wait for the disk to
    have them. They are not removed before the end: for each new file ext4 looks through those that
    just were, where it keeps no journal.
    """
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)
