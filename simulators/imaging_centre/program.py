"""`drim-sim centre`: one imaging centre's PACS as a program."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from simulators.imaging_centre.archive import Archive
from simulators.imaging_centre.dimse import DicomAddress
from simulators.imaging_centre.notifier import Notifier
from simulators.imaging_centre.pacs import Pacs


def run_centre(
    listen: DicomAddress,
    folder: Path,
    *,
    destinations: Sequence[DicomAddress],
    notify: DicomAddress | None,
    quiet_s: float,
    say: Callable[[str], object],
) -> None:
    """Run until SIGTERM or Ctrl-C.

    Args:
        say: told `listening HOST:PORT` once, and `notified STUDY EPOCH_MS` for each notification
            that the gateway has acknowledged.

    Raises:
        OSError: the port or the folder cannot be had.
    """
    archive = Archive(folder)
    notifier = None
    if notify is not None:
        notifier = Notifier(
            listen.ae_title,
            notify,
            instances_of=archive.study,
            told=lambda study_uid, at_ms: say(f"notified {study_uid} {at_ms}"),
            quiet_s=quiet_s,
        )
    pacs = Pacs(
        listen.ae_title,
        archive,
        destinations={address.ae_title: address for address in destinations},
        notifier=notifier,
    )
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    port = pacs.start(listen.host, listen.port)
    try:
        say(f"listening {listen.host}:{port}")
        stopped.wait()
    finally:
        pacs.close()
