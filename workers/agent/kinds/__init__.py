"""How the processes of each kind start: one module each, beside those of
:mod:`chalicelib.kinds`.
"""
