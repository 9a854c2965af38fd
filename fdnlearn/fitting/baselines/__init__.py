"""What learning is held against: derivative-free searches over the same network, and designs in closed form."""
