"""Google Cloud as far as the TPU stacks need it: its REST APIs on loopback, strict where Google is."""
