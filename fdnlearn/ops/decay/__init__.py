"""Energy decay curves and their distance from a target's."""
