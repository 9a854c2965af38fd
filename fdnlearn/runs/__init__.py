"""One unit of work from file to files: what the command line, a batch and a web page call."""

from fdnlearn.runs.folder import ResultFolder
from fdnlearn.runs.pipeline import Job, RecordingFit, fit_recording

__all__ = ["Job", "RecordingFit", "ResultFolder", "fit_recording"]
