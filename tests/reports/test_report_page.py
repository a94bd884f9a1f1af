"""What a report says, that it is a sound page, and that no name can break it."""

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from report_cases import EVIL, even, numbers_in, read_page, town, unmanaged

import macjax
from macjax.plots import amount
from macjax.reports.embed import embedded
from macjax.reports.facts import MOST_NUMBERS, gather, rank_feeders
from macjax.reports.html import LONGEST_NAME, short, table_html

HEADINGS = [
    "The methods side by side",
    "What is proved",
    "Load against capacity",
    "Load duration",
    "Upgrade by feeder",
    "Where upgrades are needed",
    "Prices",
    "State of charge of vehicles",
    "Convergence",
    "What it rests on",
]
IMAGE = "data:image/svg+xml;base64,"


def write(tmp_path, solutions, **given):
    path = tmp_path / "report.html"
    given = {"baselines": False, "progress": False} | given
    assert macjax.report(solutions, path, **given) == path
    return path


@pytest.fixture(scope="module")
def scenario():
    return town(longitude=[-122.0, -122.1], latitude=[37.0, 37.1])


@pytest.fixture(scope="module")
def path(scenario, tmp_path_factory):
    solutions = [even(scenario), even(scenario, "per_session"), unmanaged(scenario)]
    return write(tmp_path_factory.mktemp("report"), solutions)


@pytest.fixture(scope="module")
def page(path):
    return read_page(path)


def images(page) -> list[str]:
    """The SVG images, decoded."""
    sources = [image["src"] for image in page.all("img")]
    assert all(source.startswith(IMAGE) for source in sources)
    return [base64.b64decode(s.removeprefix(IMAGE)).decode() for s in sources]


def test_every_section_is_there_and_linked(page):
    assert [w for tag, w in page.words if tag == "h2"] == HEADINGS
    ids = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"] for a in page.all("a")]
    assert len(links) == len(HEADINGS)
    assert all(link[0] == "#" and link[1:] in ids for link in links)


def test_the_planners_table_has_the_numbers_of_compare(page, scenario):
    solutions = [unmanaged(scenario), even(scenario, "per_session"), even(scenario)]
    table = macjax.compare(solutions)
    text = page.text()
    for row in table.to_dict("records"):
        assert amount(row["upgrade_kw"]) in text
        assert amount(row["upgrade_cost"]) in text
    # Whatever order they are given in, unmanaged comes first and MAC last.
    heads = [w for tag, w in page.words if tag == "bdi"]
    assert heads[:4] == ["quantity", "unmanaged", "per session", "MAC (coordinated)"]
    whole, found = table["upgrade_cost"].iloc[[0, 2]]
    assert f"USD {amount(whole)} that unmanaged charging needs" in page.text("p")
    (at,) = [k for k, w in enumerate(page.words) if w[1].startswith("avoided by MAC")]
    cells = [w for _, w in page.words[at + 1 : at + 4]]
    avoided, most = whole - found, whole - 3.9  # 3.9 is the lower bound
    assert cells == [amount(avoided), amount(avoided), amount(most, 1)]


def test_figures_have_words_and_numbers(page, scenario):
    words = [image["alt"] for image in page.all("img")]
    assert all(len(text) > 30 for text in words)
    needs = unmanaged(scenario).upgrades()["upgrade_kw"].max()
    assert any(
        f"unmanaged exceeds it by at most {amount(needs)} kW" in w for w in words
    )
    kinds = ("Load of feeder", "Load over capacity of all", "Bars of the upgrade")
    kinds += ("Map of the feeders", "Map of colours", "State of charge", "Objective")
    for kind in kinds:
        assert any(text.startswith(kind) for text in words), kind
    for svg in images(page):
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert "script" not in svg.lower()


def test_the_page_is_sound(page):
    assert not page.wrong
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("title")) == 1
    tables = len(page.all("table"))
    assert tables == len(page.all("caption")) >= 3
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    assert all(label["for"] in ids for label in page.all("label"))


def test_the_page_asks_for_nothing(path, page):
    for tag, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes), tag
        assert "style" not in attributes  # the policy would refuse it
        for key in ("src", "href", "action", "data", "srcset", "poster"):
            assert attributes.get(key, "#")[0] == "#" or attributes[key][:5] == "data:"
    assert not page.all("link") and not page.all("iframe") and not page.all("object")
    text = path.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'<]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace
    for word in ("url(", "@import", "fetch(", "XMLHttpRequest", "import(", "eval("):
        assert word not in text
    for svg in images(page):
        found = set(re.findall(r"(?:href|src)=\"([^\"]*)\"", svg))
        assert all(link[0] == "#" or link.startswith("data:image/") for link in found)


def test_the_policy_allows_this_script_and_style_and_no_other(path, page):
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    text = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for name in ("script", "style"):
        content = re.search(rf"<{name}>(.*?)</{name}>", text, re.S).group(1)
        digest = hashlib.sha256(content.encode()).digest()
        expected = f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'"
        assert expected in policy


def test_the_same_solutions_give_the_same_bytes(path, scenario, tmp_path):
    solutions = [even(scenario), even(scenario, "per_session"), unmanaged(scenario)]
    again = write(tmp_path, solutions)
    seconds = re.compile(r'computed in \[s\].*?</tr>|"seconds".*?}', re.S)
    first, second = (
        seconds.sub("", p.read_text(encoding="utf-8")) for p in (path, again)
    )
    assert first == second


def test_texts_stand_out_from_the_white_page(path):
    """Contrast of at least 7 to 1 (WCAG 2.2, level AAA), also read in grey."""
    style = re.search(r"<style>(.*?)</style>", path.read_text("utf-8"), re.S).group(1)
    colours = re.findall(r"[{;\s]color: (#[0-9a-f]+)", style)
    assert len(colours) >= 4
    for colour in colours:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        channels = np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        luminance = linear @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 7, colour
    assert "@media print" in style


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A page on which every name tries to break out of its place."""
    scenario = town(EVIL, [f"{name} {k}" for k, name in enumerate(EVIL)], 0.0, EVIL[0])
    solutions = {name: even(scenario) for name in EVIL[1:3]} | {
        EVIL[0]: unmanaged(scenario)
    }
    return write(tmp_path_factory.mktemp("evil"), solutions)


def test_no_name_breaks_out_of_its_place(evil):
    page = read_page(evil)
    assert not page.wrong
    assert [s.get("type") for s in page.all("script")] == ["application/json", None]
    assert all(image["src"].startswith(IMAGE) for image in page.all("img"))
    for _, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes)
    (name,) = [w for tag, w in page.words if tag == "h1"]
    assert name == EVIL[0]
    for svg in images(page):
        ElementTree.fromstring(svg)  # well-formed, whatever the names


def test_names_reach_the_script_as_they_are(evil):
    text = numbers_in(evil)
    assert text.isascii() and not set("<>&") & set(text)
    found = json.loads(text)
    assert {f["name"] for f in found["feeders"]} == set(EVIL)
    assert [line["name"] for line in found["lines"]] == [EVIL[0], *EVIL[1:3]]


def test_names_are_shown_as_they_are_where_they_can_be(evil):
    text = read_page(evil).text()
    for name in EVIL[:3]:
        assert name in text
    assert "日本" in text and "\x07" not in text and "\u202e" not in text
    assert "${sections}" in text


def test_half_of_a_surrogate_pair_does_not_stop_the_writing(tmp_path):
    scenario = town()
    page = read_page(write(tmp_path, {"half \ud800": even(scenario)}))
    assert "half ?" in page.text()


def test_huge_names_are_cut(tmp_path):
    cars = [str(k) + "v" * 20_000 for k in range(3)]
    feeders = ["f" * 20_000 + str(k) for k in range(3)]
    path = write(tmp_path, even(town(feeders, cars, 0.0)))
    found = json.loads(numbers_in(path))
    assert all(len(f["name"]) <= LONGEST_NAME for f in found["feeders"])
    assert len({f["name"] for f in found["feeders"]}) == 3
    assert all(len(svg) < 200_000 for svg in images(read_page(path)))


@pytest.mark.parametrize("length", [1, LONGEST_NAME, LONGEST_NAME + 1, 500])
def test_short_names_keep_both_ends(length):
    name = "".join(chr(97 + k % 26) for k in range(length))
    cut = short(name)
    assert len(cut) <= LONGEST_NAME and cut[0] == name[0] and cut[-1] == name[-1]
    assert (cut == name) == (length <= LONGEST_NAME)


def test_tables_mark_numbers_and_name_their_rows():
    frame = pd.DataFrame({"feeder": ["a<b"], "what": ["x"], "kW": ["1"]})
    html = table_html(frame, "c & d", words=2)
    assert '<th scope="row"><bdi>a&lt;b</bdi></th><td>x</td>' in html
    assert '<td class="number">1</td>' in html and "<caption>c &amp; d<" in html


def test_feeders_are_ranked_by_overload_and_then_by_fullness():
    capacity = np.full((4, 2), 10.0)
    base = np.array([[1.0, 2.0], [3.0, 12.0], [9.0, 1.0], [0.0, 0.0]])
    load = np.stack([base, base + [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [15.0, 0.0]]])
    assert rank_feeders(load, capacity).tolist() == [3, 1, 2, 0]
    capacity[2] = 0.0  # no capacity and no overload: 9 kW over it is one
    assert rank_feeders(load, capacity).tolist() == [2, 3, 1, 0]


def test_the_script_gets_the_numbers_of_the_solutions(path, scenario):
    found = json.loads(numbers_in(path))
    shown = {"unmanaged": unmanaged(scenario), "mac": even(scenario)}
    loads = shown["unmanaged"].loads()
    for feeder in found["feeders"]:
        rows = loads[loads["feeder_id"] == feeder["name"]]
        np.testing.assert_allclose(feeder["capacity"], rows["capacity_kw"], atol=0.005)
        total = rows["base_kw"] + rows["ev_kw"]
        np.testing.assert_allclose(feeder["loads"][0], total, atol=0.005)
    for vehicle in found["vehicles"]:
        for at, solution in ((0, shown["unmanaged"]), (2, shown["mac"])):
            soc = solution.soc(vehicle["name"])["soc_kwh"]
            np.testing.assert_allclose(vehicle["soc"][at], soc, atol=0.005)
        assert vehicle["stays"] == [[17.0, 31.0], [41.0, 48.0]]
    assert found["ticks"][:2] == [[0, "00:00"], [6, "06:00"]]


def test_many_feeders_are_cut_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("macjax.reports.facts.MOST_NUMBERS", 48 * 3 * 2)
    scenario = town([f"f{k}" for k in range(5)])
    path = write(tmp_path, even(scenario))
    assert len(json.loads(numbers_in(path))["feeders"]) == 2
    assert "2 of 5 can be chosen" in read_page(path).text()
    assert MOST_NUMBERS > 100_000


def test_time_axis_names_days_where_there_are_many():
    scenario = town(slots=24 * 30)
    facts = gather({"u": unmanaged(scenario)}, None, None, [])
    ticks = json.loads(embedded(facts))["ticks"]
    assert len(ticks) == 10 and ticks[1] == [72, "Thu 05 Mar"]
