"""Write src/zo/quantiles.bin, the table that turns 11 random bits into the size of a normal sample.

2048 little-endian f32: q[i] = Phi^-1(0.5 + (i + 0.5) / 4096), the quantiles of the half-normal distribution at
the middles of 2048 equal slices, divided by sqrt(mean(q^2)) (in f64, then rounded to f32) so that a random
sign times a random entry has a variance of 1.

    python tests/golden/quantiles.py            write the table
    python tests/golden/quantiles.py --check    fail if the committed table differs
"""

import math
import struct
import sys
from pathlib import Path
from statistics import NormalDist

PATH = Path(__file__).resolve().parents[2] / "src/zo/quantiles.bin"
COUNT = 2048


def refined_quantile(p):
    """Phi^-1(p): the standard library's approximation, then Newton steps on erfc, which is exact to an ulp or so."""
    x = NormalDist().inv_cdf(p)
    for _ in range(2):
        # For p near 1 the upper tail 1 - p is exact here (p is a multiple of 2^-13), so compare tails.
        error = 0.5 * math.erfc(x / math.sqrt(2)) - (1 - p)
        x += error / (math.exp(-x * x / 2) / math.sqrt(2 * math.pi))
    return x


def table():
    q = [refined_quantile(0.5 + (i + 0.5) / (2 * COUNT)) for i in range(COUNT)]
    scale = math.sqrt(math.fsum(x * x for x in q) / COUNT)
    return struct.pack("<%df" % COUNT, *(x / scale for x in q))


if __name__ == "__main__":
    data = table()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PATH.read_bytes() == data else "src/zo/quantiles.bin differs from what quantiles.py computes")
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_bytes(data)
