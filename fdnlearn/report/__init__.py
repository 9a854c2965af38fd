"""A fit shown: figures, one self-contained HTML page, and tables for the terminal."""

from __future__ import annotations

from fdnlearn.report.data import ReportData
from fdnlearn.report.page import render_report, write_report
from fdnlearn.report.table import metrics_table, octave_table

__all__ = ["ReportData", "metrics_table", "octave_table", "render_report", "write_report"]
