"""Holds a database's work where it stands, until a test lets it go on."""

import asyncio
import threading

from gateway.storage.database import Transaction

HELD_S_MAX = 30.0


class Gate:
    """Passed by works, whether the engine runs them on the loop or in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._opened_to_threads = threading.Event()
        self.reached = asyncio.Event()
        """Set once a work stands before it."""

    async def __call__(self, tx: Transaction) -> None:
        """As a work, which does nothing else."""
        await self.pass_through()

    async def pass_through(self) -> None:
        """Wait until the gate is open."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._loop.call_soon_threadsafe(self.reached.set)
            assert self._opened_to_threads.wait(HELD_S_MAX)
        else:
            self.reached.set()
            await self._opened.wait()

    def open(self) -> None:
        """Let pass who waits and who comes."""
        self._opened.set()
        self._opened_to_threads.set()
