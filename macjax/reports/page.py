"""The page: a template filled with sections, style, script and numbers.

The page says itself that it may load nothing and run no script but its own: its content
security policy holds the digests of the script and of the style.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from macjax._version import __version__
from macjax.plots import amount
from macjax.reports.facts import Facts
from macjax.reports.html import escaped, paragraph
from macjax.reports.sections import Section
from macjax.studies.planner_report import headline

FOLDER = files("macjax") / "reports"


def page(facts: Facts, parts: Sequence[Section], numbers: str) -> str:
    """The whole page.

    Arguments:
        facts: what it shows.
        parts: its sections.
        numbers: JSON for the script, safe within a page.
    """
    style, script = _part("report.css"), _part("report.js")
    links = [f'<a href="#{p.key}">{escaped(p.title)}</a>' for p in parts]
    body = [
        f'<section id="{p.key}"><h2>{escaped(p.title)}</h2>{p.html}</section>'
        for p in parts
    ]
    return Template(_part("page.html")).substitute(
        version=escaped(__version__),
        title=escaped(facts.scenario.name),
        style=style,
        style_digest=_digest(style),
        script=script,
        script_digest=_digest(script),
        lead=_lead(facts),
        links="".join(links),
        sections="\n".join(body),
        numbers=numbers,
    )


def _lead(facts: Facts) -> str:
    """What the scenario is, and the result in two sentences."""
    scenario = facts.scenario
    weight = float(scenario.vehicles["weight"].sum())
    size = (
        f"{amount(weight)} vehicle{'' if weight == 1 else 's'} in "
        f"{_counted(len(scenario.vehicles), 'row')}, "
        f"{_counted(len(scenario.feeders), 'feeder')}, "
        f"{_counted(scenario.slots, 'slot')} of "
        f"{scenario.slot_minutes} minutes from {scenario.start:%Y-%m-%d %H:%M} "
        f"({scenario.timezone})."
    )
    text = headline(facts.intervals, scenario.currency).replace("**", "")
    return paragraph(size) + (paragraph(text, "headline") if text else "")


def _counted(count: int, what: str) -> str:
    """'1 feeder', '24 feeders'."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _part(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """SHA-256 as a content security policy has it."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
