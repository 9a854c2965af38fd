"""Every numeric operation of a fit, each a folder: its definition, and a reference, a CPU and a GPU form of it.

===========  ==========================================================================================
adam         one step of Adam on a batch of networks
decay        energy decay curves and their distance from a target's
echo         soft echo density profiles and their distance from a target's
filters      spectra of second-order sections
fourier      real transforms
octaves      decays of octaves, each at a rate of its own, and their distance from a target's
relief       mel energy-decay reliefs and their distance from a target's
response     frequency and impulse response of a feedback delay network
ringing      lines of late spectra that stand out
rotation     orthogonal matrices from free ones
time_domain  a feedback delay network on whole delays, sample by sample
===========  ==========================================================================================

The folder's ``__init__`` says what the operation is and offers it as a function, which runs in the form that belongs to
the device of its tensors; a form is a module with the same functions, differentiable where the operation is. Which
forms there are is the table of `fdnlearn.ops.dispatch`. The reference is stock operations of torch, the truth that the
others are held to in `tests/test_ops.py`, and what every device without a form of its own runs.
"""
