"""An estate of thousands of machines, answered from tables in AWS's own wire protocol; see server.py."""
