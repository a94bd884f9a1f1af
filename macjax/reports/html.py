"""Text, tables and figures as HTML; everything that comes from data is escaped."""

import base64
import html
from typing import NamedTuple

import pandas as pd

LONGEST_NAME = 60  # characters of an id or a label in a table


class Figure(NamedTuple):
    """A drawing of the page.

    Arguments:
        svg: text of the SVG image.
        alt: what it shows, in words.
        caption: what stands below it.
    """

    svg: str
    alt: str
    caption: str = ""


def escaped(text) -> str:
    """Text for HTML, also between quotes; what has no shape becomes a mark."""
    shown = "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for c in str(text)
    )
    return html.escape(shown, quote=True)


def short(name) -> str:
    """An id or a label, cut in its middle where it is long; not escaped."""
    text = str(name)
    if len(text) <= LONGEST_NAME:
        return text
    half = LONGEST_NAME // 2 - 1
    return f"{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}"


def name_html(name) -> str:
    """An id or a label; its letters may run from right to left."""
    full, shown = escaped(name), escaped(short(name))
    title = f' title="{full}"' if full != shown else ""
    return f"<bdi{title}>{shown}</bdi>"


def paragraph(text: str, kind: str = "") -> str:
    """Text as a paragraph."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escaped(text)}</p>"


def listed(lines) -> str:
    """Lines as a list."""
    return "<ul>" + "".join(f"<li>{escaped(line)}</li>" for line in lines) + "</ul>"


def figure_html(figure: Figure) -> str:
    """A drawing, as an image in the page itself."""
    data = base64.b64encode(figure.svg.encode("utf-8", "replace")).decode("ascii")
    caption = figure.caption and f"<figcaption>{escaped(figure.caption)}</figcaption>"
    return (
        f'<figure><img alt="{escaped(figure.alt)}" '
        f'src="data:image/svg+xml;base64,{data}">{caption}</figure>'
    )


def table_html(frame: pd.DataFrame, caption: str, words: int = 1) -> str:
    """A frame of texts as a table with headers for columns and rows.

    Arguments:
        frame: texts; the first column names the rows.
        caption: what the table shows.
        words: how many columns from the left hold words, not numbers.
    """
    kinds = ["" if at < words else ' class="number"' for at in range(frame.shape[1])]
    head = "".join(
        f'<th scope="col"{kind}>{name_html(name)}</th>'
        for name, kind in zip(frame.columns, kinds, strict=True)
    )
    rows = []
    for row in frame.itertuples(index=False, name=None):
        cells = [f'<th scope="row">{name_html(row[0])}</th>']
        for value, kind in zip(row[1:], kinds[1:], strict=True):
            cells.append(f"<td{kind}>{escaped(value)}</td>")
        rows.append("<tr>" + "".join(cells) + "</tr>")
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escaped(caption)}">'
        f"<table><caption>{escaped(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def details_html(summary: str, content: str) -> str:
    """Content that is shown on demand."""
    return f"<details><summary>{escaped(summary)}</summary>{content}</details>"
