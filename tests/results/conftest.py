"""A solution folder for the tests that read and change it."""

import shutil

import pytest
from result_cases import full_solution


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    return full_solution().write(tmp_path_factory.mktemp("written") / "s")


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "s")
