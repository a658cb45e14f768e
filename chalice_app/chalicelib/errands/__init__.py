"""Errands: what a function in the VPC has done outside it, by a row whose stream starts the doer.

:mod:`.asking` writes and reads the row, :mod:`.course` decides, :mod:`.doing` does what is asked.
"""
