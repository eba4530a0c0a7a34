"""Writes a text for people, as an HTML page that runs nothing and loads nothing, or as plain text.

Whatever comes of a document is escaped; the page has no script, and says that it may have none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "dt{float:left;clear:left;min-width:12em;color:#555}dd{margin-left:12em;min-height:1.5em}"
    "ul{padding-left:1.5em;list-style:none}b{font-weight:600}.remark{color:#a00}"
    ".value{white-space:pre-wrap}"
    "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .6em}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that a document says."""

    name: str = ""
    value: str = ""
    link: str = ""
    entries: Sequence["Entry"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A document."""

    language: str
    title: str
    facts: Sequence[tuple[str, str]] = ()
    remarks: Sequence[str] = ()
    entries: Sequence[Entry] = ()


def write_html(page: Page) -> bytes:
    """The page as HTML 5 in UTF-8."""
    return "".join(_html(page)).encode("utf-8", "replace")


def write_plain(page: Page) -> bytes:
    """The page as plain text in UTF-8."""
    return "\n".join(_plain(page)).encode("utf-8", "replace") + b"\n"


def _html(page: Page) -> Iterator[str]:
    title = escape(page.title)
    yield f'<!DOCTYPE html>\n<html lang="{page.language}"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n<dl>"
    for name, value in page.facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n"
    yield "</dl>\n"
    for remark in page.remarks:
        yield f'<p class="remark">{escape(remark)}</p>\n'
    yield from _html_list(page.entries)
    yield "</body></html>\n"


def _html_list(entries: Sequence[Entry]) -> Iterator[str]:
    if not entries:
        return
    yield "<ul>\n"
    for entry in entries:
        yield "<li>"
        if entry.name:
            yield f"<b>{escape(entry.name)}</b> "
        if entry.value:
            value = f'<span class="value">{escape(entry.value)}</span>'
            yield f'<a href="{escape(entry.link)}">{value}</a>' if entry.link else value
        yield from _html_list(entry.entries)
        yield "</li>\n"
    yield "</ul>\n"


def _plain(page: Page) -> Iterator[str]:
    yield from (page.title, "=" * len(page.title), "")
    for name, value in page.facts:
        yield f"{name}: {value}"
    yield from ("", *page.remarks)
    yield from _plain_list(page.entries, "")


def _plain_list(entries: Sequence[Entry], indent: str) -> Iterator[str]:
    for entry in entries:
        told = ": ".join(filter(None, (entry.name, entry.value)))
        for line in told.splitlines() or [""]:
            yield f"{indent}{line}"
        yield from _plain_list(entry.entries, indent + "  ")
