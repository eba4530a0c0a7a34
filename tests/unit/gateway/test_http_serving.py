"""What serves HTTP leaves the program's log to the program."""

import logging

from gateway.serving import loop_factory


def test_the_loop_is_chosen_without_giving_anyone_else_a_log() -> None:
    """uvicorn's own handler would write the text of each exception, which may quote a patient."""
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()

    loop_factory()

    assert logging.getLogger("uvicorn").handlers == []
    assert logging.getLogger("uvicorn.access").handlers == []
