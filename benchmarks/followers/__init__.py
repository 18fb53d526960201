"""Ways to keep a graph equal to changing sources: what `c360 follow` is measured beside.

Each is a program of its own, started with the settings of the project in its environment. It prints
`Following.` once it brings changes along, and ends at SIGTERM.
"""
