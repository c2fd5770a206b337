"""The engine. The life of a task row, in the order in which it meets the folders.

admission      a submission becomes an instance and its rows
plans          what they are made from: a version in memory, instances at work, parameters
claiming       which lanes may be claimed, and which rows are taken
running        the hot loop: rows go to the backends in `workers/`, and what comes back is gathered
finishing      one group commit: outcomes are written, rows behind advance, instances close

What else can happen to it: maps, spawning, limits, concurrency, child_workflows, sagas; commands, which people give;
definitions, which it came from; membership, by which daemons know each other and take over from the dead.

Here: `request.py`, what a submission asks for; `refusal.py`, the answer to those and to commands that cannot be carried
out; `kinds.py`, the one table of what a row of a kind does when it is ready and when it has ended; `service.py`, the
shape of all that works in the background; `watch.py`, which wakes it; `ordinals.py`, for rows beyond the nodes of a
plan; caches of what hardly changes.
"""
