"""The environment of workers: an allow-list, so that no secret of the daemon reaches user code by accident."""

from collections.abc import Iterable, Mapping

_NAMES = frozenset({"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
_PREFIX = "LC_"
# Numeric libraries start a thread per core in every worker otherwise; OMP is also PyArrow's and PyTorch's.
_THREADS = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
        "NUMEXPR_MAX_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS",
    ),
    "1",
)  # fmt: skip


def worker_env(environ: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
    """What workers see of `environ`: the usual names, `LC_*`, and `names` from the configuration.

    `OMP_NUM_THREADS` and its kin are 1 unless `names` lets the daemon's own values through.
    """
    allowed = _NAMES.union(names)
    kept = {name: value for name, value in environ.items() if name in allowed or name.startswith(_PREFIX)}
    return {**_THREADS, **kept}
