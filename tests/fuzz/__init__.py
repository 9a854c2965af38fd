"""Input that nobody has thought of, for everything that reads what others wrote; CONTRIBUTING.md says how it is run.

A kind of input makes cases from seeds of its own and from the kept corpus, and says what has to come of one: a right
answer, or one clear line. A case is a file; the one that shows a fault is kept in ``corpus/`` once it is mended.
"""
