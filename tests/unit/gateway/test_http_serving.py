"""What serves HTTP answers at once, and leaves the program's log to the program."""

import logging
import socket

from gateway.serving import listen, loop_factory


def test_the_loop_is_chosen_without_giving_anyone_else_a_log() -> None:
    """uvicorn's own handler would write the text of each exception, which may quote a patient."""
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()

    loop_factory()

    assert logging.getLogger("uvicorn").handlers == []
    assert logging.getLogger("uvicorn.access").handlers == []


def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    with listen("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()

        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
