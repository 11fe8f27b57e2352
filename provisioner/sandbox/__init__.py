"""A local cloud: AWS's wire protocols, real processes instead of machines. Stands alone; see docs/sandbox.md."""
