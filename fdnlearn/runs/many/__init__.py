"""Many recordings, one folder each: found, fitted by processes here or by a cluster, summed up."""

from fdnlearn.runs.many.running import BatchProgress, BatchResult, run_batch
from fdnlearn.runs.many.task import BatchRoom, RoomOutcome

__all__ = ["BatchProgress", "BatchResult", "BatchRoom", "RoomOutcome", "run_batch"]
