"""One unit of work from file to files: what the command line, a batch and a web page call."""

from fdnlearn.jobs.folder import ResultFolder
from fdnlearn.jobs.recording import RecordingFit, fit_recording

__all__ = ["RecordingFit", "ResultFolder", "fit_recording"]
