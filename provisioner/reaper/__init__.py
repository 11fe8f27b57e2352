"""Machines go home: what is idle, orphaned or past its end is marked, and later stopped or removed."""
