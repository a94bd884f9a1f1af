"""MATSim's plans read as a stream: the selected plan of each person, by elements.

Nothing is fetched and no entity is unfolded: the DOCTYPE that MATSim writes names a DTD
on the web, which is blanked out, so that an entity nobody knows is an error; a file
with a DTD of its own within is refused. Of the file no more is held than the persons of
one part; no element may exceed `LARGEST_ELEMENT`, and no plan `MOST_ELEMENTS`.
"""

import io
import re
import time
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

import numpy as np
import pandas as pd

from macjax.importers.files import UnreadableError

HEAD = 2**16  # bytes, in which the DOCTYPE stands unless long comments are before it
CHUNK = 2**20  # bytes
LARGEST_ELEMENT = 16 * 2**20  # bytes, of one tag with its attributes
MOST_ELEMENTS = 10_000  # activities and legs of a plan
MOST_DEPTH = 64  # of elements within each other
PART = 20_000  # persons
REPORT_EVERY = 10.0  # seconds between two lines of progress
COLUMNS = ("person", "line", "kind", "type", "x", "y", "end", "stay", "depart")
COLUMNS += ("travel", "distance")
ACTIVITY, LEG = 0, 1
# A DOCTYPE that names a DTD and has none in brackets.
_DOCTYPE = re.compile(rb"<!DOCTYPE\s[^\[<>]*>")
# What may stand before the DOCTYPE: the XML declaration, comments, instructions.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf|\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
ROOTS = ("population", "plans")


class Part(NamedTuple):
    """Some persons and the elements of their selected plans.

    Arguments:
        persons: id, line, plans (how many there are), selected (one is marked so).
        elements: activities and legs in their order, of all of the persons: person
            (row of `persons`), line, kind (0 activity, 1 leg), type (or mode), x, y,
            end (end_time), stay (max_dur), depart (dep_time), travel (trav_time),
            distance [m]; text as in the file, missing where it is not given.
    """

    persons: pd.DataFrame
    elements: pd.DataFrame


class _Reader:
    """Handlers of the parser; they collect the elements of one part."""

    def __init__(self, parser):
        self.parser = parser
        self.root: str | None = None
        self.persons: list[tuple] = []
        self.rows: list[list] = []
        self._own: list[list] = []  # elements of the present person
        self._plan: list[list] | None = None  # those of a plan that is being read
        self._id, self._line, self._plans, self._selected = "", 0, 0, False
        self._depth = 0
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self.refuse_dtd
        parser.EntityDeclHandler = self.refuse_dtd

    def refuse_dtd(self, name, *_):
        raise UnreadableError(
            f"has a DTD of its own ('{name}') in line {self.parser.CurrentLineNumber}, "
            "which may declare entities; plans need none, and such files are not read"
        )

    def skip(self, tag: str, given: dict) -> None:
        """Go deeper without reading."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            line = self.parser.CurrentLineNumber
            raise UnreadableError(f"has elements nested too deeply in line {line}")

    def start(self, tag: str, given: dict) -> None:
        self.skip(tag, given)
        if self._plan is not None:
            self._start_in_plan(tag, given)
        elif tag == "plan":
            self._plans += 1
            # Of several plans the selected one counts; the first one if none is.
            if given.get("selected") == "yes":
                self._selected = True
                self._plan = self._own = []
            elif self._plans == 1:
                self._plan = self._own = []
            else:  # nothing of this plan is read
                self.parser.StartElementHandler = self.skip
        elif tag == "person":
            self._id = given.get("id", "")
            self._line = self.parser.CurrentLineNumber
            self._plans, self._selected, self._own = 0, False, []
        elif self.root is None:
            self.root = tag
            if tag not in ROOTS:
                raise UnreadableError(
                    f"holds no plans: its first element is <{tag}>, not <population>"
                )

    def _start_in_plan(self, tag: str, given: dict) -> None:
        get, plan = given.get, self._plan
        assert plan is not None  # `start` has seen to it
        if len(plan) > MOST_ELEMENTS:
            line = self.parser.CurrentLineNumber
            raise UnreadableError(
                f"has a plan of more than {MOST_ELEMENTS:,} activities and legs in "
                f"line {line}"
            )
        if tag == "leg":
            line = self.parser.CurrentLineNumber
            row = [0, line, LEG, get("mode"), None, None, None, None]
            plan.append([*row, get("dep_time"), get("trav_time"), None])
        elif tag in ("activity", "act"):
            line = self.parser.CurrentLineNumber
            row = [0, line, ACTIVITY, get("type"), get("x"), get("y"), get("end_time")]
            plan.append([*row, get("max_dur", get("dur")), None, None, None])
        elif tag == "route" and plan and plan[-1][2] == LEG:
            leg = plan[-1]
            leg[9] = leg[9] or get("trav_time")
            leg[10] = get("distance", get("dist"))

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "plan":
            self._plan = None
            self.parser.StartElementHandler = self.start
        elif tag == "person":
            number = len(self.persons)
            self.persons.append((self._id, self._line, self._plans, self._selected))
            for row in self._own:
                row[0] = number
            self.rows += self._own
            self._own = []

    def take(self) -> Part:
        """The persons so far, which are forgotten here."""
        names = ["id", "line", "plans", "selected"]
        persons = pd.DataFrame(self.persons, columns=names)
        elements = pd.DataFrame(self.rows, columns=list(COLUMNS))
        whole = dict.fromkeys(("line", "plans"), np.int64)
        persons = persons.astype({**whole, "selected": bool})
        elements = elements.astype(dict.fromkeys(("person", "line", "kind"), np.int64))
        self.persons, self.rows = [], []
        return Part(persons, elements)


def _head(file: io.BufferedIOBase) -> bytes:
    """The beginning of a file up to its DOCTYPE or its first element, or more."""
    head = file.read(HEAD)
    if head.startswith(_UTF_16):
        raise UnreadableError("is UTF-16 text; save it as UTF-8")
    while len(head) < LARGEST_ELEMENT:
        rest = head[_prolog(head) :]
        doctype = b"<!DOCTYPE".startswith(rest[:9])
        if rest and not doctype and not rest.startswith((b"<!--", b"<?")):
            break
        if rest[:9] == b"<!DOCTYPE" and b">" in rest:
            break
        more = file.read(len(head) or HEAD)
        if not more:
            break
        head += more
    return head


def _prolog(head: bytes) -> int:
    """Where what may stand before the DOCTYPE ends."""
    found = _PROLOG.match(head)
    return found.end() if found else 0


def _without_doctype(head: bytes) -> bytes:
    """The beginning of a file without the name of a DTD elsewhere, lines kept."""
    found = _DOCTYPE.match(head, _prolog(head))
    if found is None:
        return head
    blank = re.sub(rb"[^\n]", b" ", found[0])
    return head[: found.start()] + blank + head[found.end() :]


def read_parts(file: io.BufferedIOBase, progress=None) -> Iterator[Part]:
    """The persons of a plans file in parts of about `PART`.

    Arguments:
        file: the bytes of the file.
        progress: called with a line of text now and then; None is silent.

    Raises:
        UnreadableError: it is not well-formed XML, holds something else, declares
            entities, or has an element that is too large.
    """
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    reader = _Reader(parser)
    fed, told, count = 0, time.monotonic(), 0
    try:
        data = _without_doctype(_head(file))
        while data:
            parser.Parse(data, False)
            fed += len(data)
            if fed - max(parser.CurrentByteIndex, 0) > LARGEST_ELEMENT + CHUNK:
                raise UnreadableError(
                    f"has an element of more than {LARGEST_ELEMENT >> 20} MiB in line "
                    f"{parser.CurrentLineNumber}"
                )
            if len(reader.persons) >= PART:
                count += len(reader.persons)
                yield reader.take()
            if progress and time.monotonic() - told > REPORT_EVERY:
                told = time.monotonic()
                progress(f"read {fed / 2**20:,.0f} MiB, {count:,} persons")
            data = file.read(CHUNK)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise UnreadableError(
            f"is not well-formed XML: {words} in line {error.lineno}"
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise UnreadableError(f"cannot be decoded: {error}") from error
    if reader.root is None:
        raise UnreadableError("holds no plans")
    if reader.persons or not count:
        yield reader.take()
