"""For tests of jobs and workflows: the engine's own code, in this process, on a clock that is set.

    def test_an_outage_of_the_vendor_is_survived():
        run = run_job(fetch, {"symbol": "AAPL"})
        assert run.state == "SUCCESS", run.error
        assert run.tasks["fetch"].attempt == 2

There is no daemon and no worker process. Tasks run one at a time, in a thread of this process, so what a test patches is
patched for them. Nothing waits: where a retry, a deferral or a schedule is next, the clock is set to it.
"""

from qflowd.testing.clock import Clock
from qflowd.testing.harness import Harness, run_job, run_workflow
from qflowd.testing.run import Run

__all__ = ["Clock", "Harness", "Run", "run_job", "run_workflow"]
