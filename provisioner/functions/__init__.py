"""Scheduled functions: thin handlers for each cloud, and what packs them."""
