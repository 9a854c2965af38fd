"""One unit of work from file to files: what the command line, a batch and a web page call."""

from fdnlearn.runs.folder import ResultFolder
from fdnlearn.runs.pipeline import RecordingFit, fit_recording

__all__ = ["RecordingFit", "ResultFolder", "fit_recording"]
