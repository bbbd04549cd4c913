"""The notebooks run from an empty folder as they stand, and what they keep is fit to be shown."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

import xsim

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: one notebook may take this long on two cores once the kernels are compiled [s]; compiling comes on top
LONGEST, COMPILING = 60, 240
#: machine-dependent text that has no place in an output that is kept
LOCAL = re.compile(r"/(?:home|Users|root|tmp|work|private)/|[A-Z]:\\\\|site-packages|ipykernel_")


def read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: Any) -> list[str]:
    """Everything readable in the outputs of a cell."""
    found = []
    for output in cell.outputs:
        found.append("".join(output.get("text", "")))
        found += ["".join(data) for kind, data in output.get("data", {}).items() if kind.startswith("text/")]
    return found


def test_the_lectures_are_there() -> None:
    lectures = {"first-steps", "one-specimen-many-eyes", "with-and-without-lenses", "chemistry-of-nanoparticles"}
    assert {path.stem for path in NOTEBOOKS} >= lectures


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_from_an_empty_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    client = pytest.importorskip("nbclient").NotebookClient
    pytest.importorskip("ipykernel")
    # the kernel is a process of its own in another folder: it must find the same xsim as this test
    roots = [str(Path(xsim.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(root for root in roots if root))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel shows pictures in the page unless told otherwise
    notebook = read(path)
    kept = [len(cell.outputs) > 0 for cell in code_cells(notebook)]
    started = time.perf_counter()
    runner = client(
        notebook, timeout=LONGEST + COMPILING, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    runner.execute()  # raises CellExecutionError with the cell and its traceback
    record_property("seconds", time.perf_counter() - started)
    assert [len(cell.outputs) > 0 for cell in code_cells(notebook)] == kept
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == [], "a cell warns"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_small_and_name_no_machine(path: Path) -> None:
    assert path.stat().st_size < 2_000_000
    cells = code_cells(read(path))
    pictures = [o for cell in cells for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 5
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [o for o in cell.outputs if o.output_type == "error"]
        for text in texts(cell):
            assert not LOCAL.search(text), text[:200]
