"""Settings are checked at start, and all problems are reported at once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mdm.errors import SettingsError
from mdm.settings import Profile, Settings

SECRET = "correct-horse-battery-staple-0123456789"


def settings(**variables: str) -> Settings:
    return Settings.from_env({name.upper(): value for name, value in variables.items()})


def problems(**variables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(**variables)
    return [problem.pointer for problem in caught.value.problems]


def test_nothing_set_means_the_demo_on_this_machine_with_embedded_services():
    found = settings()
    assert (found.host, found.port, found.web_workers, found.profile) == ("127.0.0.1", 8000, 2, Profile.DEMO)
    assert found.database_url is None
    assert found.broker_url is None
    assert found.home == Path.cwd() / ".mdm"


def test_an_empty_variable_counts_as_unset():
    assert settings(mdm_port="", mdm_database_url=" ") == settings()


def test_everything_can_be_set(tmp_path):
    found = settings(
        mdm_home=str(tmp_path),
        mdm_database_url="postgresql://mdm@db.example/concord",
        mdm_broker_url="redis://broker.example/0",
        mdm_host="0.0.0.0",
        mdm_port="443",
        mdm_web_workers="8",
        mdm_log_level="warning",
        mdm_profile="Production",
    )
    assert (found.home, found.database_url) == (tmp_path, "postgresql://mdm@db.example/concord")
    assert (found.broker_url, found.host, found.port) == ("redis://broker.example/0", "0.0.0.0", 443)
    assert (found.web_workers, found.log_level, found.profile) == (8, "WARNING", Profile.PRODUCTION)


def test_all_problems_are_named_in_one_line():
    with pytest.raises(SettingsError) as caught:
        settings(mdm_port="70000", mdm_profile="staging", mdm_database_url="mysql://x", mdm_broker_url="carrier pigeon")
    assert [problem.pointer for problem in caught.value.problems] == ["MDM_DATABASE_URL", "MDM_BROKER_URL", "MDM_PORT", "MDM_PROFILE"]
    assert all(problem.message in str(caught.value) for problem in caught.value.problems)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "8000.0", "８０００", "http", "9" * 40])
def test_a_port_is_a_whole_number_that_exists(port):
    assert problems(mdm_port=port) == ["MDM_PORT"]


@pytest.mark.parametrize("url", ["postgresql://u@h/db?nonsense=1", "postgresql://u@h:port/db", "sqlite://", "h/db", "postgresql:/h"])
def test_a_database_url_is_one_that_postgres_reads(url):
    assert problems(mdm_database_url=url) == ["MDM_DATABASE_URL"]


@pytest.mark.parametrize("prefix", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_spellings_of_a_database_url_become_one(prefix):
    assert settings(mdm_database_url=f"{prefix}://u@/db?host=/run/pg").database_url == "postgresql://u@/db?host=/run/pg"


@pytest.mark.parametrize("url", ["none", "redis://h", "rediss://u:p@h:1/0", "redis+socket:///run/valkey.sock", "amqp://h//"])
def test_brokers_that_can_be_used(url):
    assert settings(mdm_broker_url=url).broker_url == url


@pytest.mark.parametrize("url", ["redis://", "redis://h:port", "redis+socket://", "http://h", "NONE-AT-ALL"])
def test_brokers_that_cannot(url):
    assert problems(mdm_broker_url=url) == ["MDM_BROKER_URL"]


@pytest.mark.parametrize("host", ["-h", "a b", "a/b", "x" * 300])
def test_a_host_is_an_address_or_a_name(host):
    assert problems(mdm_host=host) == ["MDM_HOST"]


def test_a_mistyped_name_is_not_ignored():
    with pytest.raises(SettingsError, match="did you mean MDM_DATABASE_URL"):
        settings(mdm_databse_url="postgresql://u@h/db")


def test_variables_of_others_are_no_concern_of_ours():
    assert settings(mdm_color="blue", path="/bin", mdn_port="1") == settings()


def test_home_must_be_a_folder_that_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert problems(mdm_home=str(tmp_path / "file")) == ["MDM_HOME"]
    assert problems(mdm_home=str(tmp_path / "file" / "below")) == ["MDM_HOME"]
    assert settings(mdm_home=str(tmp_path / "new" / "below")).home == tmp_path / "new" / "below"


def test_no_secret_is_printed_or_repeated_in_a_message():
    found = settings(mdm_database_url=f"postgresql://u:{SECRET}@h/db", mdm_broker_url=f"redis://:{SECRET}@h", mdm_key_pepper=SECRET)
    assert SECRET not in repr(found)
    with pytest.raises(SettingsError) as caught:
        settings(mdm_database_url=f"postgresql://u:{SECRET}@h:x/db", mdm_broker_url=f"http://:{SECRET}@h", mdm_key_pepper=SECRET[:9])
    assert len(caught.value.problems) == 3
    assert SECRET[:9] not in str(caught.value)


def test_a_given_pepper_is_used_and_nothing_is_written(tmp_path):
    assert settings(mdm_home=str(tmp_path), mdm_key_pepper=SECRET).key_pepper() == SECRET.encode()
    assert list(tmp_path.iterdir()) == []


def test_a_pepper_is_made_once_and_kept_closed(tmp_path):
    found = settings(mdm_home=str(tmp_path / "home"))
    with ThreadPoolExecutor(8) as pool:
        peppers = set(pool.map(lambda _: found.key_pepper(), range(32)))
    assert len(peppers) == 1
    assert len(peppers.pop()) == 64
    assert [path.name for path in found.home.iterdir()] == ["secret"]
    assert stat.S_IMODE((found.home / "secret").stat().st_mode) == 0o600
