"""Arrays in files: the same values as in memory, and no more memory than a block of them."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from xsim.spill import BLOCK, blocks, create, release, total


@pytest.mark.parametrize("shape", [(3,), (0, 4), (5, 1000, 1000), (70, 300, 400)])
def test_blocks_together_are_the_whole_array_in_order(shape, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    parts = list(blocks(values))
    np.testing.assert_array_equal(np.concatenate(parts), values)
    assert all(part.nbytes <= max(BLOCK, values[:1].nbytes) for part in parts)


def test_values_that_were_let_go_are_still_in_the_file(tmp_path):
    values = create(tmp_path / "a.raw", np.float32, (40, 512, 512))
    for row in range(40):
        values[row] = row
        release(values[row])
    assert total(values) == sum(range(40)) * 512 * 512
    assert [float(part[0, 0, 0]) for part in blocks(values)] == [0.0, 16.0, 32.0]


def test_gaps_do_not_enter_the_sum_when_asked():
    counts = np.array([[-1, 5], [7, -1]], np.int32)
    assert total(counts, gaps=True) == 12
    assert total(counts) == 10
    assert total(np.array([-1, 5]), gaps=True) == 5


def test_walking_over_a_mapped_array_holds_one_block_of_it_in_memory(tmp_path):
    program = """
    import resource, sys
    import numpy as np
    from xsim.spill import blocks, create, release, total

    def held():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = held()
    values = create(sys.argv[1], np.float32, (600, 512, 512))
    for row in range(600):
        values[row] = 1
        release(values)
    assert total(values) == values.size
    print(held() - before, values.nbytes)
    """
    run = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "big.raw")]
    grown, size = map(int, subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    assert size > 600e6
    assert grown < 100e6
