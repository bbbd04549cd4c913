"""The amplitude of a finite body kept on a lattice in q, and read between its nodes by a narrow kernel.

A body within radius R of the origin has an amplitude that is band-limited: nodes h = pi / (s R) apart (s the
oversampling) hold all of it. The nodes' values, divided by the kernel's own transform in real space, are the weights
c of f(q) = sum_n c_n phi(q/h - n) with the "exponential of semicircle" kernel phi, as in non-uniform FFTs: an error of
about 10^(1 - width) of the amplitudes around q, where trilinear interpolation of f itself is some percent off.
Atoms get to the nodes by one type 1 non-uniform FFT per kind of atom times its form factor f(|q|, E), anything else
by its closed form. Valid for |q| up to `q_max`; beyond, NaN.

References: Barnett, Magland & af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019), doi 10.1137/18M120885X (kernel);
Jackson et al., IEEE Trans. Med. Imaging 10, 473 (1991), doi 10.1109/42.97598 (gridding and its correction).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
#: points that scatter alike: positions (n, 3) [m], weights (n,), and the amplitude [m] of each for |q|^2 [rad^2/m^2]
Scatterers = tuple[FloatArray, FloatArray, Callable[[FloatArray], Any]]
Smooth = Callable[[FloatArray], ComplexArray]  # q (m, 3) [rad/m] -> amplitude (m,) [m]

#: nodes that go on on each side beyond q_max: the kernel's half width and what the correction spreads
_MARGIN = 8
#: q vectors of a closed form handled together
_BLOCK = 65536


@dataclass(frozen=True)
class Fineness:
    """Width of the kernel [nodes] and oversampling of the nodes."""

    width: int
    oversampling: float = 2.0

    @property
    def beta(self) -> float:
        """The kernel's shape, nearly the best for its width (as in finufft)."""
        return float(0.976 * np.pi * self.width * (1 - 1 / (2 * self.oversampling)))

    def nodes(self, radius: float, q_max: float) -> int:
        """Nodes along one axis for a body of `radius` [m] and |q| up to `q_max` [rad/m]."""
        from xsim.waves.fft import good_size

        return good_size(2 * (int(np.ceil(q_max / self.spacing(radius))) + _MARGIN))

    def spacing(self, radius: float) -> float:
        """Distance of the nodes [rad/m]."""
        return float(np.pi / (self.oversampling * radius))


@dataclass(frozen=True, eq=False)
class Lattice:
    """Weights (n, n, n) of the kernel at nodes `spacing` [rad/m] apart; node (n//2, n//2, n//2) is q = 0."""

    weights: NDArray[np.complex64]
    spacing: float
    fineness: Fineness

    def __call__(self, q: FloatArray, turn: FloatArray) -> NDArray[np.complex64]:
        """Amplitude [m] (m,) at `turn` q for q (m, 3) [rad/m], turn (3, 3); NaN beyond the lattice."""
        from xsim.specimen.kernels.lattice_gather import gather, kernel_table

        table = kernel_table(self.fineness.width, self.fineness.beta)
        return gather(self.weights, q, turn / self.spacing, table)


def build(
    points: Sequence[Scatterers], smooth: Smooth | None, radius: float, q_max: float, fineness: Fineness
) -> Lattice:
    """The lattice of `points` plus `smooth` (closed forms) for a body of `radius` [m] and |q| to `q_max` [rad/m]."""
    from xsim.waves.fft import fftn, ifftn

    n, h = fineness.nodes(radius, q_max), fineness.spacing(radius)
    step: NDArray[np.int64] = np.arange(n) - n // 2
    square = step[:, None] ** 2 + step[None, :] ** 2  # of nodes, whole numbers: a form factor is looked up
    values = np.zeros((n, n, n), np.complex64)
    for positions, weights, factor in points:
        sums = _sums(positions, weights, n, h)
        table = np.asarray(factor(np.arange(3 * (n // 2) ** 2 + 1, dtype=np.float64) * h**2), np.complex64)
        for i in range(n):
            values[i] += sums[i] * table[square + step[i] ** 2]
    if smooth is not None:
        _add_smooth(values, smooth, np.asarray(step * h, np.float64))
    # node n//2 is q = 0, which a transform wants first; a shift in q is a phase of the density, so undo it after
    # q = 0 lies at node n//2 instead of first, which is a phase of the density: it cancels on the way back
    density = ifftn(values, overwrite=True)
    correction = np.roll(_correction(n, fineness), -(n // 2))
    for axis in range(3):
        density *= correction.reshape([-1 if k == axis else 1 for k in range(3)])
    return Lattice(np.ascontiguousarray(fftn(density, overwrite=True)), h, fineness)


def _sums(positions: FloatArray, weights: FloatArray, n: int, h: float) -> NDArray[np.complex64]:
    """sum_j w_j exp(-i q.r_j) at the nodes (n, n, n), single precision: 1e-6 of the largest."""
    import finufft

    x, y, z = (np.ascontiguousarray(positions[:, k] * h, np.float32) for k in range(3))
    strengths = np.ascontiguousarray(weights, np.complex64)
    # more than two oversampled cells a node is not asked for; one thread, so that bits repeat
    return np.asarray(finufft.nufft3d1(x, y, z, strengths, (n, n, n), isign=-1, eps=2e-6, nthreads=1))


def _add_smooth(values: NDArray[np.complex64], smooth: Smooth, line: FloatArray) -> None:
    n = len(line)
    rows = max(1, _BLOCK // n)
    for i in range(n):
        for start in range(0, n, rows):
            y = line[start : start + rows]
            q = np.empty((len(y), n, 3))
            q[..., 0], q[..., 1], q[..., 2] = line[i], y[:, None], line[None, :]
            values[i, start : start + rows] += smooth(q.reshape(-1, 3)).reshape(len(y), n)


def _correction(n: int, fineness: Fineness) -> NDArray[np.float32]:
    """One over the transform of the kernel at n positions in units of the box; level beyond the body, smoothly."""
    nodes, gauss = np.polynomial.legendre.leggauss(96)
    t = nodes * fineness.width / 2
    kernel = np.exp(fineness.beta * (np.sqrt(1 - nodes**2) - 1)) * gauss * fineness.width / 2
    place = np.abs(np.arange(n) - n // 2) / n  # 0 .. 1/2, the body ends at 1/(2 oversampling)
    edge = 0.5 / fineness.oversampling
    u = np.clip((place - edge) / (0.5 - edge), 0, 1)
    place = np.where(place > edge, edge + (0.5 - edge) * (u - u**3 + u**4 / 2), place)
    return np.asarray(1 / (np.cos(2 * np.pi * place[:, None] * t) @ kernel), np.float32)
