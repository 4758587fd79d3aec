"""A plan waits where the file itself does not say what is meant; the reason and the ways out stand in it."""

import pytest

from mdm.errors import ConcordError

_TEXT = "MRN,LAST,BORN\n1,Rivera,03/04/1980\n2,Olsen,25/12/1975\n"
_COLUMNS = "key=MRN,family_name=LAST,birth_date=BORN"


def rails(view):
    return [rail["code"] for rail in view.plan["report"]["guard_rails"]]


def test_dates_that_mean_two_days_stop_a_plan_until_an_order_is_chosen(loader):
    view = loader.plan(_TEXT.encode(), columns=_COLUMNS)
    assert (view.plan["state"], rails(view)) == ("blocked", ["date_order"])
    [finding] = [each for each in view.plan["report"]["findings"] if each["code"] == "date_order"]
    assert (finding["column"], finding["message"], len(finding["steps"])) == ("BORN", "1 rows fit only DD/MM, 0 only MM/DD, 1 fit both", 2)
    with pytest.raises(ConcordError):
        loader.apply(view)


@pytest.mark.parametrize("on", [True, False])
def test_a_chosen_order_settles_it_even_where_it_is_switched_off(loader, on):
    step = {"kind": "date_order", "column": "BORN", "order": "DMY", "on": on}
    view = loader.plan(_TEXT.encode(), columns=_COLUMNS, steps=[step])
    assert rails(view) == []
    assert view.counts["new"] == 2
