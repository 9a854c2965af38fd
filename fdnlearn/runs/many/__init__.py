"""Many recordings, one folder each: found, fitted by processes here or by a cluster, summed up."""

from fdnlearn.runs.many.running import BatchResult, Standing, run_batch
from fdnlearn.runs.many.task import Job, Outcome, Room

__all__ = ["BatchResult", "Job", "Outcome", "Room", "Standing", "run_batch"]
