"""Philox against its published answers, and the shape of what is drawn from it."""

import numpy as np
import pytest

from mmpipe.venue.sim.chance import CHANCE, exponential, happens, normal, philox, uniform


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0x00000000, 0x00000000), 0x00000000, (0xFF1DAE59, 0x6CD10DF2)),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
        ((0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_known_answers_of_random123(counter: tuple[int, int], key: int, words: tuple[int, int]) -> None:
    assert philox(*counter, key) == words


def draws(kind: object, count: int, *arguments: float) -> np.ndarray:
    chance = np.zeros(1, CHANCE)
    chance["key"] = 5
    return np.array([kind(chance, *arguments) for _ in range(count)])  # type: ignore[operator]  # a kernel


def test_moments() -> None:
    assert draws(uniform, 20_000).mean() == pytest.approx(0.5, abs=0.01)
    normals = draws(normal, 20_000)
    assert normals.mean() == pytest.approx(0.0, abs=0.03)
    assert normals.std() == pytest.approx(1.0, abs=0.03)
    assert draws(exponential, 20_000, 3.0).mean() == pytest.approx(3.0, rel=0.03)
    assert draws(happens, 20_000, 5.0, 0.02).mean() == pytest.approx(1 - np.exp(-0.1), abs=0.01)


def test_same_counter_same_number_and_keys_differ() -> None:
    assert (draws(uniform, 100) == draws(uniform, 100)).all()
    other = np.zeros(1, CHANCE)
    other["key"] = 6
    assert uniform(other) != draws(uniform, 1)[0]
    assert other["counter"][0] == 1


def test_never_zero_or_one() -> None:
    values = draws(uniform, 20_000)
    assert values.min() > 0.0
    assert values.max() < 1.0
