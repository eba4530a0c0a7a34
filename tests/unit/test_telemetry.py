import json
import logging
import sys

from gateway.telemetry import JsonLines


def a_record(**told):
    record = logging.LogRecord("gateway.x", logging.ERROR, "f.py", 1, "event_name", (), None)
    vars(record).update(told)
    return record


def test_an_event_is_told_with_its_fields():
    line = json.loads(JsonLines().format(a_record(submission="abc", attempts=2)))

    assert line["event"] == "event_name"
    assert (line["level"], line["submission"], line["attempts"]) == ("error", "abc", 2)


def test_an_exception_is_told_by_its_kind_and_place_and_not_by_its_text():
    try:
        raise ValueError("DUPONT^JEAN")
    except ValueError:
        record = a_record(exc_info=sys.exc_info())

    text = JsonLines().format(record)

    assert "DUPONT" not in text
    assert json.loads(text)["error"] == "ValueError"


def test_a_library_s_warning_is_told_by_its_place_and_not_by_its_words():
    warning = "values.py:12: UserWarning: invalid value 'DUPONT^JEAN'"
    record = logging.LogRecord("py.warnings", logging.WARNING, "f.py", 1, "%s", (warning,), None)

    line = json.loads(JsonLines().format(record))

    assert (line["event"], line["place"]) == ("warned", "values.py:12")
    assert "DUPONT" not in json.dumps(line)
