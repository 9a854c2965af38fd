"""Spectra of second-order sections."""
