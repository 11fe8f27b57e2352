"""What a job pays for beside its machine, from the catalog's data."""
