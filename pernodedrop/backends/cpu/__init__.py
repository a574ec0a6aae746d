"""The kernels for a CPU, compiled by numba on first use and cached: no compiler on the user's machine."""
