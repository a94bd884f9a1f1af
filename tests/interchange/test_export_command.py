"""`macjax export` on a real folder: each format, wrong options, and what stays."""

import json

import pandas as pd
import pytest
from interchange_cases import solution

from macjax import cli


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return solution(slots=24, evs=8).write(tmp_path_factory.mktemp("saved") / "one")


def test_csv_and_json(tmp_path, saved, capsys):
    assert cli.main(["export", str(saved), "--to", "csv", "--out", str(tmp_path)]) == 0
    assert "written to" in capsys.readouterr().out
    assert (tmp_path / "prices.csv").is_file()
    more = ["export", str(saved), "--to", "csv", "--out", str(tmp_path), "--json"]
    assert cli.main(more) == 0
    assert json.loads(capsys.readouterr().out)["to"] == "csv"


def test_opendss_and_pandapower_take_buses(tmp_path, saved, capsys):
    ids = pd.read_parquet(saved / "scenario" / "feeders.parquet")["feeder_id"]
    table = tmp_path / "buses.csv"
    pd.DataFrame({"feeder_id": ids, "bus": range(len(ids))}).to_csv(table, index=False)
    common = ["--buses", str(table), "--power", "total", "--power-factor", "0.95"]
    out = tmp_path / "dss"
    call = ["export", str(saved), "--to", "opendss", "--out", str(out), "--kv", "12"]
    assert cli.main([*call, *common]) == 0
    assert len((out / "Loads.dss").read_text().splitlines()) == len(ids)
    out = tmp_path / "pp"
    call = ["export", str(saved), "--to", "pandapower", "--out", str(out)]
    assert cli.main([*call, *common]) == 0
    assert pd.read_csv(out / "loads.csv")["bus"].tolist() == list(range(len(ids)))
    capsys.readouterr()


def test_buses_keep_their_names(tmp_path, saved, capsys):
    """In a table with gaps too, and with zeros in front."""
    ids = pd.read_parquet(saved / "scenario" / "feeders.parquet")["feeder_id"]
    table, out = tmp_path / "buses.csv", tmp_path / "dss"
    call = ["export", str(saved), "--to", "opendss", "--out", str(out), "--kv", "12"]
    for given, shown in (("12", "12"), ("012", "012"), ("12.1.2.3", "12.1.2.3")):
        table.write_text(f"feeder_id,bus\n{ids[0]},{given}\n{ids[1]},\n")
        assert cli.main([*call, "--buses", str(table)]) == 0
        (line,) = (out / "Loads.dss").read_text().splitlines()
        assert f" bus1={shown} " in line
    capsys.readouterr()


def test_netcdf_of_some_vehicles(tmp_path, saved, capsys):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("scipy")
    ids = pd.read_parquet(saved / "scenario" / "vehicles.parquet")["vehicle_id"]
    call = ["export", str(saved), "--to", "netcdf", "--out", str(tmp_path)]
    assert cli.main([*call, "--vehicle", str(ids[3]), "--vehicle", str(ids[0])]) == 0
    with xarray.open_dataset(tmp_path / "solution.nc") as found:
        assert found.sizes["vehicle"] == 2
    assert cli.main([*call, "--no-vehicles"]) == 0
    with xarray.open_dataset(tmp_path / "solution.nc") as found:
        assert "vehicle" not in found.dims
    capsys.readouterr()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--to", "csv", "--kv", "1"], "--kv: without meaning for --to csv"),
        (["--to", "csv", "--no-vehicles"], "--no-vehicles: without meaning"),
        (["--to", "netcdf", "--vehicle", "nobody"], "no vehicle 'nobody'"),
        (["--to", "opendss", "--phases", "0", "--power-factor", "2"], "power_factor"),
    ],
)
def test_wrong_options_end_in_2_and_write_nothing(tmp_path, saved, capsys, more, words):
    out = tmp_path / "out"
    assert cli.main(["export", str(saved), "--out", str(out), *more]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
    assert cli.main(["export", str(tmp_path), "--out", str(out), "--to", "csv"]) == 2
    assert "not the folder of a solution" in capsys.readouterr().err
