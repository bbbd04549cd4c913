"""The built distributions, each used outside the checkout: what a new user gets from pip."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROBE = (
    "import xsim, xsim.resources as r, pathlib; print(pathlib.Path(xsim.__file__).parent);"
    "print(len(r.data_files('materials')), len(r.data_files('scenarios')))"
)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return out


def environment(folder: Path) -> Path:
    """A virtual environment that sees this one's dependencies, but not its xsim first."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    parents = [p for p in sys.path if p.endswith("site-packages")]
    (site / "zz-dependencies.pth").write_text("\n".join(parents))
    return folder / "bin" / "python"


def install(folder: Path, *arguments: str) -> Path:
    python = environment(folder)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--ignore-installed", *arguments], check=True, cwd=folder)
    return python


def probe(python: Path, folder: Path) -> tuple[Path, int, int]:
    answer = subprocess.run([str(python), "-c", PROBE], check=True, capture_output=True, text=True, cwd=folder)
    where, numbers = answer.stdout.strip().splitlines()
    materials, scenarios = map(int, numbers.split())
    return Path(where), materials, scenarios


def counts() -> tuple[int, int]:
    return len(list((ROOT / "materials").glob("*.toml"))), len(list((ROOT / "scenarios").glob("*.toml")))


def test_the_wheel_carries_every_material_and_scenario(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    python = install(tmp_path, str(wheel))
    where, *found = probe(python, tmp_path)
    assert where.is_relative_to(tmp_path)
    assert tuple(found) == counts()


def test_the_source_distribution_builds_the_same_wheel(distributions: Path, tmp_path: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "again"), source]
    subprocess.run(build, check=True, capture_output=True)
    (first,), (again,) = distributions.glob("*.whl"), (tmp_path / "again").glob("*.whl")
    names = [sorted(zipfile.ZipFile(w).namelist()) for w in (first, again)]
    assert names[0] == names[1]


def test_an_editable_install_reads_the_checkout_not_a_copy(tmp_path: Path) -> None:
    python = install(tmp_path, "--editable", str(ROOT))
    where, *found = probe(python, tmp_path)
    assert where == ROOT / "xsim"
    assert tuple(found) == counts()
