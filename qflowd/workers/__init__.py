"""Processes that run user code, and the daemon's side of them. No database, no queue logic.

daemon       crew (all workers): supervisor, handle (one each), receive, watch, burial, log_reader
             crew_with_threads: beside them inline, jobs in threads of the daemon's own process
between      wire and page (daemon <-> worker), orders (daemon <-> nursery), events (crew -> engine)
nursery      nursery_link starts it, nursery forks workers and buries them
worker       worker (its main) -> runner (one slot) -> load, task_context, sink, ends
"""
