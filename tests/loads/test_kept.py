"""A file that comes to nothing leaves nothing."""

import io

import pytest

from mdm import load_draft, load_upload
from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.errors import UnusableFile
from mdm.load_table import Options
from mdm.load_upload import Upload, upload

PEOPLE = b"key,name\n1,Ann\n"


@pytest.mark.parametrize("name", ["rot13", "base64", "zlib"])
def test_what_is_no_encoding_of_texts_is_refused(loader, name):
    given = Upload(ENTITY_TYPES["supplier"], "ehr-mercy", io.BytesIO(PEOPLE), "x.csv", reading=Options(encoding=name))
    with pytest.raises(UnusableFile):
        upload(loader.database, loader.home, SYSTEM_ACTOR, given, "test")
    assert list((loader.home / "loads").iterdir()) == []


@pytest.mark.parametrize("module", [load_upload, load_draft])
def test_whatever_goes_wrong_the_file_goes_too(loader, monkeypatch, module):
    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(module, "open_table", broken)
    given = Upload(ENTITY_TYPES["supplier"], "ehr-mercy", io.BytesIO(PEOPLE), "x.csv")
    act = upload if module is load_upload else load_draft.begin
    with pytest.raises(RuntimeError):
        act(loader.database, loader.home, SYSTEM_ACTOR, given, "test")
    assert list((loader.home / "loads").iterdir()) == []
