-- Serves find_open_waits and expire_overdue_waiters.
{index: waiter_deadline ON qflow.waiter (deadline_at) WHERE state = {wait.WAITING} | (state, deadline_at)}
;
