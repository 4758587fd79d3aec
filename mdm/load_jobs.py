"""The jobs of loads, for whoever does jobs. What they need takes seconds to load, and most workers never do it."""

from collections.abc import Mapping
from pathlib import Path

from mdm.loads import APPLY, PLAN, UNDO
from mdm.running import Handler, Run


def load_handlers(home: Path, memory_gb: int) -> Mapping[str, Handler]:
    """`home`: where the files lie; `memory_gb`: what matching may take before it spills to disk."""

    def plan(run: Run) -> None:
        from mdm.load_plan import plan_load  # noqa: PLC0415

        plan_load(run, home, memory_gb)

    def apply(run: Run) -> None:
        from mdm.load_apply import apply_load  # noqa: PLC0415

        apply_load(run, home)

    def undo(run: Run) -> None:
        from mdm.load_undo import undo_load  # noqa: PLC0415

        undo_load(run, home)

    return {PLAN: plan, APPLY: apply, UNDO: undo}
