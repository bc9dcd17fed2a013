"""Compile every kernel of the line into the disk cache: `python -m stages.warm`, before tests and benches."""

import stages.supervisor  # noqa: F401  # imports every module with a kernel
from ringbuf.jit import warm


def main() -> None:
    """Warm the cache and say what it took."""
    report = warm(freeze=False)
    print(f"{report.kernel_count} kernels, {report.compiled_count} compiled, {report.wall_s:.1f} s")


if __name__ == "__main__":
    main()
