"""One plain package per cloud, behind the small interface of `base`."""
