"""Which way to fit is better: every method on every room for the same time, and what can be said about it."""

from fdnlearn.runs.study.methods import VARIANTS, Method, parse_methods
from fdnlearn.runs.study.plan import Plan
from fdnlearn.runs.study.study import StudyResult, compare_methods

__all__ = ["VARIANTS", "StudyResult", "Method", "Plan", "compare_methods", "parse_methods"]
