"""Programs lowered for CUDA on a machine that need not have a GPU."""

import re

import jax
import jaxlib
import pytest

# JAX 0.10.2 leaves Triton's code in the program; later ones compile it at once.
LAST_THAT_DEFERS = (0, 10, 2)


def kernels_in(traced) -> int:
    """How many Triton kernels a traced function has; skips where JAX cannot tell."""
    version = tuple(int(n) for n in jaxlib.__version__.split(".")[:3])
    if version > LAST_THAT_DEFERS and jax.default_backend() != "gpu":
        pytest.skip(f"jaxlib {jaxlib.__version__} compiles Triton only beside CUDA")
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    return len(
        re.findall(r"@(?:__gpu\$xla\.gpu\.triton|triton_kernel_call\w*)\(", text)
    )
