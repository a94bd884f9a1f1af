"""A report in a real browser: headless Chromium, where it is installed.

python -m pytest -m browser tests/reports
"""

import re
import shutil
import subprocess

import pytest
from report_cases import EVIL, Page, even, town, unmanaged

import macjax

pytestmark = pytest.mark.browser
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = ("--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
# Chromium cannot make its sandbox for root, as in containers. Errors of pages go to
# stderr with the log.
OPTIONS += ("--no-sandbox", "--enable-logging=stderr", "--virtual-time-budget=5000")
PNG = b"\x89PNG\r\n\x1a\n"
# Put at the end of the page: chooses the last feeder and the last vehicle.
CHOOSE = """
for (const kind of ["feeder", "vehicle"]) {
  const select = document.getElementById(`${kind}-select`);
  select.selectedIndex = select.options.length - 1;
  select.dispatchEvent(new Event("change"));
}
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    scenario = town(EVIL, [f"{name} {k}" for k, name in enumerate(EVIL)], 0.0)
    path = tmp_path_factory.mktemp("browser") / "report.html"
    solutions = [unmanaged(scenario), even(scenario, "per_session"), even(scenario)]
    return macjax.report(solutions, path, baselines=False, progress=False)


def open_page(browser, path, profile, *options) -> subprocess.CompletedProcess:
    command = [browser, *OPTIONS, f"--user-data-dir={profile}", *options, path.as_uri()]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=240
    )


def dumped(browser, path, profile) -> tuple[Page, str]:
    """The page after its script ran, and what the browser complained about."""
    done = open_page(browser, path, profile, "--dump-dom")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Page(done.stdout), "\n".join(told)


def test_the_page_loads_without_errors_and_draws(browser, path, tmp_path):
    page, told = dumped(browser, path, tmp_path)
    assert not told
    assert len(page.all("option")) == 2 * len(EVIL)
    assert len(page.all("svg")) == 3
    assert all("hidden" not in box for box in page.all("div") if "id" in box)
    titles = page.text("text")
    assert "load against capacity" in titles and "state of charge" in titles


def test_choices_draw_something_else(browser, path, tmp_path):
    text = path.read_text(encoding="utf-8")
    # The policy refuses scripts that are not the page's own, so this copy has none.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copy = tmp_path / "copy.html"
    last = text.replace("</body>", f"<script>{CHOOSE}</script></body>")
    copy.write_text(last, encoding="utf-8")
    before, _ = dumped(browser, path, tmp_path / "profile")
    after, told = dumped(browser, copy, tmp_path / "profile")
    assert not told
    drawn = [[svg["aria-label"] for svg in page.all("svg")] for page in (before, after)]
    assert all(first != last for first, last in zip(*drawn, strict=True))


def test_foreign_scripts_do_not_run(browser, path, tmp_path):
    """Even if a name broke out of its place, the policy would stop it."""
    foreign = '<script>document.title = "broken"</script></body>'
    text = path.read_text(encoding="utf-8").replace("</body>", foreign)
    copy = tmp_path / "copy.html"
    copy.write_text(text, encoding="utf-8")
    page, told = dumped(browser, copy, tmp_path / "profile")
    assert "broken" not in page.text("title")
    assert "Content Security Policy" in told


@pytest.mark.parametrize("size", ["1280,2400", "420,2400"])
def test_screenshots_are_made(browser, path, tmp_path, size):
    """For people to look at: `--basetemp=FOLDER` keeps them."""
    picture = tmp_path / "report.png"
    options = (f"--screenshot={picture}", f"--window-size={size}")
    done = open_page(browser, path, tmp_path / "profile", *options)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(PNG) and picture.stat().st_size > 20_000
