"""Benchmarks are run by hand; that they still fit the code that they measure is seen here."""

from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "bench"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_every_benchmark_imports(name):
    import_module(f"tests.bench.{name}")
