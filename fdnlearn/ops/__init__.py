"""The hot loops: every numeric operation a folder with its reference, CPU and GPU form."""
