"""Soft echo density profiles."""
