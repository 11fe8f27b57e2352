"""Azure Resource Manager as far as the ND stack needs it, on loopback, strict where Azure is."""
