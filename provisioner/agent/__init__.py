"""What runs on a rented machine. Standard library only, Python 3.9 and newer; `bundle` packs it."""
