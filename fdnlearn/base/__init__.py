"""What everything else stands on: one-line failures, files that appear whole, float WAV, Numba's settings."""
