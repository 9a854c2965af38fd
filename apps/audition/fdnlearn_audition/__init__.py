"""The listening room: fit a recording, hear it against the room, vote blind, take the network away, in a browser.

The server itself holds no audio and does no arithmetic: fits run in a process each (`fits`), everything that reads
what a visitor sent in helper processes (`bench`), sound in the visitor's own browser (`web/`).
"""
