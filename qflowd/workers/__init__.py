"""Processes that run user code, and the daemon's side of them. No database, no queue logic.

daemon       backends (the protocol, and the router by pool that the engine talks to)
             processes, a backend: supervisor, handle (one worker each), receive, task_watch, log_reader, log_budget
             threads, another: jobs in threads of the daemon's own process; thread_logs
between      wire and page (daemon <-> worker), orders (daemon <-> nursery), events (backend -> engine)
nursery      nursery_link starts it, nursery forks and reaps workers
worker       worker (its main) -> runner (one slot) -> job_loader, task_context, inherit, process_state,
             sink, statements, task_result
"""
