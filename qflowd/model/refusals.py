"""Why the engine rejects a submission or command, as numbers that programs can tell apart.

Their first three digits are the status that HTTP has for it. They stand in column `error_code` of the inboxes and never
change their meaning; new ones may come.
"""

from enum import IntEnum


class Refusal(IntEnum):
    """Why a row of an inbox was rejected."""

    NOT_ALLOWED = 40302  # whoever asks may not run this job or workflow
    NOT_FOUND = 40401  # what it names does not exist
    WRONG_STATE = 40901  # what it names cannot do that now
    NAME_TAKEN = 40902
    IN_USE = 40903
    NO_DRAFT = 40904
    KEY_REUSED = 40905  # the idempotency key belongs to something else
    OF_A_FILE = 40906  # only its file can change it
    OTHER_SET = 40907  # the filter matches others than it did at the dry run
    DATE_TAKEN = 40908  # another instance of the workflow holds the business date
    STALE = 41201  # it was changed since whoever asks has seen it
    PARAMS = 42201  # params that do not fit their schema
    FAULTY = 42202  # the row or a document in it cannot mean anything
    CYCLE = 42203
    UNKNOWN_NAME = 42204  # a job, type or definition that nothing has registered
    EXPRESSION = 42205  # an expression has no value
    QUOTA = 42902  # of the tenant
    FAULT_OF_OURS = 50001
