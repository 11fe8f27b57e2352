"""python -m provisioner: the same as accelctl."""

from provisioner.cli.main import main

main()
