"""The names of failures that state machines, agents, tasks, rows and pages know. Pure.

A state machine matches such a name in ``ErrorEquals``. An instance's row keeps the name with the
cause, and the waiting page chooses its title by the name. A failure that has no name here is
retried like any other and shown with its cause.
"""

from enum import StrEnum


class Failure(StrEnum):
    """Why an instance, a build or a run ended, as the state machine and the row name it."""

    APP_START_FAILED = "AppStartFailed"
    """From the agent: the app ended, or could not begin, while it was starting."""
    APP_INIT_TIMEOUT = "AppInitTimeout"
    """From the agent: the app was not ready within ``app_init_timeout``."""
    WORKER_EXITED = "WorkerExited"
    """From the agent: the app ended after its start."""

    NO_MACHINE = "NoMachine"
    """ECS started no task."""
    TASK_DIED = "TaskDied"
    """A task ended before it answered its token."""
    INSTANCE_CHANGED = "InstanceChanged"
    """:class:`chalicelib.instances.errors.InstanceChanged`, by the name that Lambda gives it."""

    ARCHIVED = "Archived"
    """The instance's app is archived."""
    DRAIN_LOST = "DrainLost"
    """The instance was drained, and nobody stopped it."""
    START_LOST = "StartLost"
    """The start took longer than its state machine allows."""
    EXECUTION_LOST = "ExecutionLost"
    """The instance's state machine ended without it."""
    STOPPED_BY_OPERATOR = "StoppedByOperator"
    """Somebody who may do so had the instance stopped."""
    SPARE_GONE = "SpareGone"
    """The agent of a bound spare did not answer."""
    SPARE_TOO_MANY = "SpareTooMany"
    """The operator wants fewer spares."""
    UNKNOWN = "Unknown"
    """A state failed without saying why."""

    BAD_BUNDLE = "BadBundle"
    """:class:`chalicelib.publishing.errors.BadBundle`: the upload itself is at fault."""
    NO_SUCH_SYNC = "NoSuchSync"
    """:class:`chalicelib.syncs.errors.NoSuchSync`, by the name that Lambda gives it."""
    TRANSFER_FAILED = "TransferFailed"
    """DataSync's execution failed."""
    STALLED = "Stalled"
    """A copy made no progress and was stopped."""

    INSTANCE_FAILED = "InstanceFailed"
    BUNDLE_REJECTED = "BundleRejected"
    SYNC_FAILED = "SyncFailed"
    """The three that end an execution; the row says why."""

    TIMEOUT = "States.Timeout"
    HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
    """Step Functions' own names, for a state that took too long or fell silent."""

    def because(self, cause: str) -> dict[str, str]:
        """Return the failure as an instance's row keeps it."""
        return {"error": self.value, "cause": cause}
