"""A step of Adam on a batch of networks."""
