"""One thread for every numeric library: the tests are many and small, and two cores have better to do than wait."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "SEEDBED_THREADS"):
    os.environ.setdefault(name, "1")
