"""A fit shown: figures, one self-contained HTML page, and a table for the terminal."""

from __future__ import annotations

from fdnlearn.report.data import ReportData
from fdnlearn.report.page import render_report, write_report
from fdnlearn.report.table import metrics_table

__all__ = ["ReportData", "metrics_table", "render_report", "write_report"]
