"""Small things are understood: the ceilings on lines, functions, modules and arguments."""

import ast
from collections.abc import Iterator

from tests.architecture.repository import files, name

COLUMNS_MAX = 100
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50  # its docstring not counted
POSITIONAL_ARGUMENTS_MAX = 5  # `self` not counted

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_line_is_wider_than_a_screen() -> None:
    wide = [
        f"{name(path)}:{number}"
        for path in files(".py", ".sql", ".toml", ".sh")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > COLUMNS_MAX
    ]

    assert wide == []


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    long = [
        f"{name(path)}: {lines} lines"
        for path in files(".py")
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    ]

    assert long == []


def test_no_function_is_longer_than_a_page() -> None:
    long = [
        f"{where} {function.name}: {lines} lines"
        for where, function in _functions()
        if (lines := _lines(function)) > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_no_function_takes_more_positional_arguments_than_can_be_remembered() -> None:
    many = [
        f"{where} {function.name}"
        for where, function in _functions()
        if len(_positional_arguments(function)) > POSITIONAL_ARGUMENTS_MAX
    ]

    assert many == []


def _functions() -> Iterator[tuple[str, Function]]:
    for path in files(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield f"{name(path)}:{node.lineno}", node


def _lines(function: Function) -> int:
    lines = _extent(function)
    if ast.get_docstring(function) is not None:
        lines -= _extent(function.body[0])
    return lines


def _extent(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _positional_arguments(function: Function) -> list[str]:
    arguments = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return arguments[1:] if arguments[:1] in (["self"], ["cls"]) else arguments
