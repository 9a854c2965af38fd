"""The loop in the time domain."""
