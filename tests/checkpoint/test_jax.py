# pyright: basic
# JAX's types are partial.
"""Orbax as it is, through `Checkpoints.save` and `restore`."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from provisioner.checkpoint import Checkpoints, Environment
from provisioner.checkpoint import jax as trees


def tree(seed: int) -> dict:
    key = jax.random.key(seed)
    return {
        "layers": [{"w": jax.random.normal(key, (33, 7)), "b": jax.random.normal(key, (7,), jnp.bfloat16)}],
        "step": jnp.asarray(seed, jnp.int32),
        "key": key,
        "host": np.arange(5.0) + seed,
        "count": seed,
    }


def bits(leaf: Any) -> tuple[str, tuple[int, ...], bytes]:
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
    return str(array.dtype), array.shape, array.tobytes()


def test_a_tree_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Floats of both widths, integers, numpy arrays, numbers and PRNG keys come back as they were."""
    folder = tmp_path / "checkpoints"
    Checkpoints(folder, environment=Environment()).save(3, partial(trees.save, tree=tree(3)))
    step, restored = Checkpoints(folder, environment=Environment()).restore(
        lambda path: trees.load(path, tree(0)), fresh=tree(0)
    )
    assert step == 3
    assert jax.tree.map(bits, restored) == jax.tree.map(bits, tree(3))
    assert jax.tree.map(bits, restored) != jax.tree.map(bits, tree(0))


def test_a_checkpoint_is_finished_when_save_returns(tmp_path: Path) -> None:
    """Orbax writes in the background, but nothing of it is unfinished once the checkpoint has its name."""
    saved = Checkpoints(tmp_path, environment=Environment()).save(1, partial(trees.save, tree=tree(1)))
    assert not [path for path in saved.path.rglob("*") if "orbax-checkpoint-tmp" in path.name]
    assert (saved.path / "tree" / "_CHECKPOINT_METADATA").is_file()


def test_a_folder_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default folder is relative, which Orbax alone refuses."""
    monkeypatch.chdir(tmp_path)
    saver = Checkpoints("checkpoints", environment=Environment())
    saver.save(1, partial(trees.save, tree=tree(1)))
    _, restored = saver.restore(lambda path: trees.load(path, tree(0)), fresh=None)
    assert jax.tree.map(bits, restored) == jax.tree.map(bits, tree(1))


def test_another_structure_is_an_error(tmp_path: Path) -> None:
    """A tree with other leaves than the saved one is refused, not filled in."""
    trees.save(tmp_path, tree(1))
    with pytest.raises(ValueError, match="structure"):
        trees.load(tmp_path, {"something": jnp.zeros(3)})
