"""The engine: a service or a verb a file. The life of a task row, in the order in which it meets them.

submitted    admit    request (what was asked) -> plan (of what version) -> expand (into which rows)
ready        claim    lanes (what is known of its queue) -> instances, render (with what parameters), dispatch
running      executor, the hot loop, which hands it to the backends in `workers/`
ended        harvest (what came back) -> outcome (what that means) -> batch, finish (one group commit)
after it     kinds (what a row's end means) -> advance (rows behind it) -> close (its instance);
             timers (retries, delays);  recover (dead daemons)

Beside it: commands with control, its verbs terminate, retry, resume; schedules; workflow_files with _reading and _store;
heartbeat, lease, lease_watch, identity, registration; caches, bounded_cache; stray_ids; logs; watch; service (the shape of
all that works in the background).
"""
