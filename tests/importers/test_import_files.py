"""Files that cannot be read end in a report with line or row, whatever the format."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
from import_samples import write

from macjax import DataError, SettingsError
from macjax.importers import Cars, files
from macjax.importers.files import sources
from macjax.importers.findings import Findings
from macjax.importers.horizon import make_horizon, parse_clock
from macjax.importers.sheet import read_sheets


def read(path, on_fault="error"):
    findings = Findings("wrong files", on_fault)
    (sheet,) = read_sheets([path], findings)
    return sheet, findings


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"a,b\n1,\xe9\n", "not UTF-8 text: byte 0xe9 in line 2"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("t.csv", b"a;b\n1;2\n", "parted by ';'"),
        ("t.csv", b"a,a\n1,2\n", "several columns of one name: a"),
        ("t.csv.gz", b"a,b\n1,2\n", "cannot be unfolded"),
        ("t.csv.gz", gzip.compress(b"a,b\n" * 999, mtime=0)[:-9], "cut off"),
        ("t.zip", b"PK\x03\x04junk", "cannot be unfolded"),
        ("t.parquet", b"PAR1junk", "cannot be read as Parquet"),
    ],
)
def test_unreadable_files_are_named_with_the_reason(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as stop:
        read(path)
    assert stop.value.faults["table"].tolist() == [name]


def test_rows_of_another_width_are_named_by_line(tmp_path):
    path = write(tmp_path / "t.csv", 'a,b\n1,2\n\n"x\ny",3\n1,2,3\n5,6\n')
    sheet, findings = read(path, "drop")
    assert sheet.frame["a"].tolist() == ["1", "x\ny", "5"]
    assert sheet.line.tolist() == [2, 4, 7]
    with pytest.raises(DataError, match=r"must have 2 columns; found 3 \(line 6\)"):
        findings.stop()


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_count_as_an_editor_counts(tmp_path, ending, newline):
    text = newline.join(["a,b", "1,2", "3,x", "5,y"])  # no end of line at the end
    sheet, findings = read(write(tmp_path / f"t.csv{ending}", text))
    sheet.key = "a"
    assert np.isnan(sheet.number("b")).tolist() == [False, True, True]
    report = findings.report().iloc[0]
    assert report["lines"] == (3, 4) and report["ids"] == ("3", "5")


def test_a_zip_holds_one_file(tmp_path):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", "a\n1\n")
    assert read(path)[0].frame["a"].tolist() == ["1"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("u.csv", "a\n1\n")
    with pytest.raises(DataError, match="must hold one file; it holds 2"):
        read(path)


def test_a_bomb_is_refused_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HARMLESS", 2**20)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"0" * 2**26))
    with pytest.raises(DataError, match="unfolds to more than 400 times"):
        read(path)


def test_all_files_that_are_missing_stand_in_one_report(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as stop:
        sources([tmp_path / "no.csv", tmp_path / "empty"], (".csv",))
    assert len(stop.value.faults) == 2
    for wrong in ([], 3, ["a\0b"]):
        with pytest.raises(SettingsError):
            sources(wrong, (".csv",))


def test_a_folder_gives_its_files_in_order(tmp_path):
    for name in ("b.csv", "a.csv.gz", "c.txt"):
        write(tmp_path / name, "a\n1\n")
    found = sources(tmp_path, (".csv", ".csv.gz"))
    assert [path.name for path in found] == ["a.csv.gz", "b.csv"]


def test_missing_columns_name_the_nearest_one():
    findings = Findings("wrong files", "drop")
    (sheet,) = read_sheets([pd.DataFrame({"departs": [1]})], findings)
    with pytest.raises(DataError, match="the nearest is 'departs'"):
        sheet.require("depart")


def test_numbers_keep_the_rules_that_are_asked():
    frame = pd.DataFrame({"x": ["1", "", "inf", "-2", "2.5", "3"]})
    findings = Findings("wrong files", "drop")
    (sheet,) = read_sheets([frame], findings)
    values = sheet.whole("x", low=0)
    assert values[[0, 5]].tolist() == [1, 3] and np.isnan(values[1:5]).all()
    assert sheet.bad.tolist() == [False, True, True, True, True, False]


def test_findings_of_the_same_words_are_one_row():
    findings = Findings("wrong", "error")
    for part in range(3):
        findings.note("f", "c", "w", "assumed", [part] * 9, 9, ["x"] * 9)
    findings.note("f", "c", "nothing", "assumed", [], 0)
    report = findings.report()
    assert report["count"].tolist() == [27] and len(report["lines"][0]) == 10
    findings.settle()
    findings.wrong("f", "c", "w")
    with pytest.raises(DataError):
        findings.settle()
    with pytest.raises(SettingsError, match="on_fault"):
        Findings("wrong", "ignore")


def test_clock_times_may_exceed_a_day():
    text = pd.Series(
        ["06:00", "25:10:05", " 7:05:01.5", "undefined", None, "7", "9:61"]
    )
    seconds, junk = parse_clock(text.astype(object))
    assert seconds[:3].tolist() == [21600, 90605, 25501.5]
    assert np.isnan(seconds[3:]).all() and junk.tolist() == [False] * 5 + [True] * 2


def test_horizons_and_cars_are_checked_as_settings():
    horizon = make_horizon("2026-03-29", "Europe/Berlin", 60, 2)
    assert horizon.slots == 48 and horizon.seconds == 2 * 86400
    starts = horizon.slot_starts()
    assert (np.diff(starts) == np.timedelta64(1, "h")).all()
    assert starts[0].isoformat() == "2026-03-28T23:00:00+00:00"
    for wrong in (
        ("2026-13-01", "UTC", 60, 1),
        ("2026-03-29T02:30:00", "Europe/Berlin", 60, 1),
        (7, "UTC", 60, 1),
        ("2026-03-01", "Mars/Base", 60, 1),
        ("2026-03-01", "UTC", 7, 1),
        ("2026-03-01", "UTC", 60, 0),
    ):
        with pytest.raises(SettingsError):
            make_horizon(*wrong)
    for wrong in (
        {"battery_kwh": 0},
        {"initial_share": 0.05},
        {"charger_kw": 7.2},
        {"charger_kw": {"home": -1}},
        {"kwh_per_km": "much"},
        {"final_share": 1.2},
    ):
        with pytest.raises(SettingsError):
            Cars(**wrong)
    assert Cars().chargers(pd.Series(["HOME", "work", None])).tolist() == [7.2, 0, 0]
