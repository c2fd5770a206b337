"""What people read of an attempt that its worker process or its backend ended."""

from qflowd.model.durations import MB
from qflowd.model.signal_names import signal_name
from qflowd.model.workflow import Settings
from qflowd.workers.events import Broken


def describe_broken(event: Broken, settings: Settings) -> str:
    """One line for the attempt's row."""
    if event.reason == "timeout":
        end = "given up: it is asked to end, but nobody can kill a thread" if event.is_given_up else "stopped"
        return f"ran longer than its timeout of {settings.timeout or 0:g} s and was {end}"
    if event.reason == "memory":
        limit = f"{(settings.memory or 0) / MB:.0f} MB"
        # Where nothing was counted the kernel did it, for want of memory.
        taken = (
            f": took {event.memory} since it began, without pages of files"
            if event.memory
            else ": the kernel killed it"
        )
        peak = f"; at its peak it had {event.peak_memory / MB:.0f} MB, all counted" if event.peak_memory else ""
        return f"went over its memory limit of {limit}{taken}{peak}; raise `memory` or make it smaller"
    if event.reason == "terminated":
        return "it was terminated while it ran"
    if event.exit_signal is not None:
        return f"its worker process was killed by {signal_name(event.exit_signal)}"
    return f"its worker process ended with exit code {event.exit_code}"
