"""What a benchmark leaves behind: its figures together with the machine and the versions that gave them."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import orjson

_PACKAGES = ("flask", "granian", "psycopg", "rapidfuzz", "sqlalchemy")


def save(out: Path | None, name: str, settings: Mapping[str, object], figures: Mapping[str, object]) -> None:
    """Write the figures as JSON where `--out` says; nowhere without it."""
    if out is None:
        return
    content = {"benchmark": name, "machine": _machine(), "settings": settings, "figures": figures}
    out.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _machine() -> dict[str, object]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "python": platform.python_version(),
        "packages": {package: version(package) for package in _PACKAGES},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
