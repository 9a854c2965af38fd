"""Orthogonal matrices from free ones."""
