"""Jobs are functions with a decorator; save this file, and a running daemon has the change."""

from qflowd import context, job


@job
def hello(name: str = "world") -> dict:
    """Greet somebody. What is returned is the task's output."""
    context().logger.info("about to greet %s", name)
    print(f"Hello, {name}!")
    return {"greeting": f"Hello, {name}!", "letters": len(name)}


@job(retries=2, retry_delay="1s")
def report(greeting: str) -> str:
    """Use what another task returned."""
    return greeting.upper()
