"""Arrays packed into files: the same values as in memory, and no more memory than a block of them."""

import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from xsim import spill
from xsim.simulate.packer import Packer
from xsim.spill import BLOCK, Packed, blocks, total


def packed(path, values, scan=None, step=7):
    packer = Packer(path, values.dtype, (*(scan or (len(values),)), *values.shape[1:]), values.ndim - 1)
    for start in range(0, len(values), step):
        packer.add(values[start : start + step])
    return packer.done()


@pytest.mark.parametrize("shape", [(3,), (0, 4), (5, 1000, 1000), (70, 300, 400)])
def test_blocks_together_are_the_whole_array_in_order(shape, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    parts = list(blocks(values))
    np.testing.assert_array_equal(np.concatenate(parts), values)
    assert all(part.nbytes <= max(BLOCK, values[:1].nbytes) for part in parts)


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.uint16, np.int64])
@pytest.mark.parametrize(
    ("frame", "scan"), [((64, 65), (50,)), ((64, 65), (5, 10)), ((), (5, 10)), ((3, 5), (2, 25)), ((600, 700), (5, 2))]
)
def test_any_reader_of_hdf5_finds_what_was_packed(frame, scan, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(spill, "CHUNK", 1 << 16)
    values = np.random.default_rng(1).poisson(3, (np.prod(scan), *frame)).astype(dtype)
    held = packed(tmp_path / "a.h5", values, scan)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][...].reshape(values.shape), values)
        assert (file["values"].compression, file["values"].shuffle) == ("gzip", True)
    assert (held.shape, held.dtype, held.size) == (values.shape, values.dtype, values.size)
    np.testing.assert_array_equal(held, values)


def test_a_packed_array_is_indexed_as_an_array_is(tmp_path, monkeypatch):
    monkeypatch.setattr(spill, "CHUNK", 1 << 12)
    values = np.arange(24 * 30, dtype=np.int32).reshape(24, 5, 6)
    held = packed(tmp_path / "a.h5", values, (4, 6))
    keys = [3, -1, slice(None), slice(5, 19), slice(20, 2, -3), [1, 7, 7], (slice(2, 9), 1), (4, slice(None), 2),
            (Ellipsis, 0), slice(4, 4), np.arange(24) % 5 == 0]  # fmt: skip
    for key in keys:
        np.testing.assert_array_equal(held[key], values[key])
    folded = held.reshape(4, 6, 5, 6)
    np.testing.assert_array_equal(folded[1:3, 2], values.reshape(4, 6, 5, 6)[1:3, 2])
    np.testing.assert_array_equal(held.reshape(-1, 30)[7], values[7].ravel())
    np.testing.assert_array_equal(np.stack(list(held)), values)


def test_sums_and_gaps_are_known_without_reading_again(tmp_path):
    values = np.random.default_rng(1).integers(-1, 5, (40, 8, 9)).astype(np.int32)
    held = packed(tmp_path / "a.h5", values)
    read = Packed(tmp_path / "a.h5", "values", 2)
    for gaps in (False, True):
        assert total(held, gaps=gaps) == total(values, gaps=gaps) == total(read, gaps=gaps)
    held.close()
    assert total(held) == total(values)
    np.testing.assert_array_equal(held.least, values.min(axis=0))


def test_gaps_do_not_enter_the_sum_when_asked():
    counts = np.array([[-1, 5], [7, -1]], np.int32)
    assert total(counts, gaps=True) == 12
    assert total(counts) == 10
    assert total(np.array([-1, 5]), gaps=True) == 5


def test_chunks_are_copied_into_a_dataset_of_the_same_kind(tmp_path):
    values = np.random.default_rng(1).poisson(1.0, (30, 128, 128)).astype(np.int32)
    held = packed(tmp_path / "a.h5", values)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        made = file.create_dataset("x", values.shape, values.dtype, **spill.packing(values.shape, 4))
        assert held.packed_alike(made.shape, made.dtype, made.chunks, made.compression)
        held.copy_chunks(made)
        np.testing.assert_array_equal(made[...], values)
        other = file.create_dataset("y", values.shape, np.int64, **spill.packing(values.shape, 8))
        assert not held.packed_alike(other.shape, other.dtype, other.chunks, other.compression)


def test_an_array_larger_than_memory_is_packed_and_walked_over_in_little_of_it(tmp_path):
    program = """
    import resource, sys
    import numpy as np
    from pathlib import Path
    from xsim.simulate.packer import Packer
    from xsim.spill import blocks

    def held():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    frames = np.ones((10, 512, 512), np.float32)
    packer = Packer(Path(sys.argv[1]), np.float32, (250, 512, 512), 2)
    packer.add(frames)
    before = held()
    for _ in range(24):
        packer.add(frames)
    values = packer.done()
    assert sum(float(block.sum()) for block in blocks(values)) == values.size
    print(held() - before, values.nbytes)
    """
    run = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "big.h5")]
    grown, size = map(int, subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    assert size > 250e6
    assert grown < 60e6
