"""Which way to fit is better: every method on every room for the same time, and what can be said about it."""

from fdnlearn.comparison.comparison import Comparison, compare_methods
from fdnlearn.comparison.methods import VARIANTS, Method, parse_methods
from fdnlearn.comparison.plan import Plan

__all__ = ["VARIANTS", "Comparison", "Method", "Plan", "compare_methods", "parse_methods"]
