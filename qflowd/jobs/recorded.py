"""From what `@job` recorded to the job that a daemon registers."""

from qflowd.jobs.decorators import JobSpec
from qflowd.jobs.signature import params_schema, signature
from qflowd.model.jsontext import clean_text
from qflowd.model.workflow import Job


def recorded_job(spec: JobSpec, *, module: str, file: str, digest: str) -> Job:
    """The job of `spec`.

    Args:
        module: that a worker imports to find it; empty for one that runs in this process.
        digest: SHA-256 of the file, hex.

    Raises: InvalidJob for a parameter that cannot come from JSON, or a hint of its `poll` that cannot be resolved.
    """
    if spec.poll is not None:
        signature(spec.poll.function)
    return Job(
        name=spec.name,
        module=module,
        file=file,
        hash=digest,
        title=clean_text(spec.title),
        doc=clean_text(spec.doc),
        params_schema=params_schema(spec.function),
        settings=spec.settings,
        compensation=spec.compensation,
    )
