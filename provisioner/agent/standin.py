"""Becomes `provisioner` on the machine, where `provisioner.checkpoint` is all there is of it. Packed by `bundle`.

It lies on PYTHONPATH, before whatever is installed, and so gives way: a `provisioner` that the program finds anywhere
else is the one that it gets, and a plain folder of that name is joined to this one.
"""

import importlib.util
import os
import sys

here = os.path.dirname(os.path.dirname(__file__))
elsewhere = [place for place in sys.path if place != here]
found = next(filter(None, (finder.find_spec(__name__, elsewhere) for finder in sys.meta_path)), None)
if found is not None and found.origin is None:
    sys.modules[__name__].__path__[:0] = found.submodule_search_locations
elif found is not None:
    sys.modules[__name__] = importlib.util.module_from_spec(found)
    found.loader.exec_module(sys.modules[__name__])
