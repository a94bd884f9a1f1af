"""What a region rests on follows its configuration."""

from macjax.regions.provenance import provenance


def test_assumptions_have_the_values_of_the_configuration():
    config = {"adoption": 0.42, "sample": 0.05, "chargers": {"work_share": 0.17}}
    table = provenance(config)
    assumed = table.loc[table["kind"] == "assumed", "what"].str.cat(sep="\n")
    assert "42 % of all cars" in assumed and "17 % of commuters" in assumed
    assert "20 cars that move as one block" in assumed
    whole = provenance()
    assert not whole["what"].str.contains("one block").any()
    kinds = set(whole["kind"])
    assert {"measured", "published statistics", "modelled by others"} <= kinds
    assert (whole["source"] != "").all()
