import pytest

from seed.world import World, build_world


@pytest.fixture(scope="session")
def world() -> World:
    """The whole demo world, built once: loading the patients' files costs seconds."""
    return build_world()


@pytest.fixture(scope="session")
def hospital_world() -> World:
    """The demo world without patients."""
    return build_world(patients=0)
