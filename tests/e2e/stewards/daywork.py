"""One task of each kind, as the work of a day has it: `MAKERS[kind](world, deliver, number)`; another number is another task."""

from itertools import chain, zip_longest
from random import Random

from mdm import asking, clusters, identity
from mdm.access import SYSTEM_ACTOR
from mdm.asking import Asked
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act
from mdm.pins import NewPin, pin
from mdm.undo import undo
from tests.e2e.stewards import scenes

PAYER = ENTITY_TYPES["payer"]
ACT = Act(actor=SYSTEM_ACTOR, reason="seeded", request_id="test-request")


SYLLABLES = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
KINDS_OF_PLAN = (
    "Health Plan",
    "Benefit Trust",
    "Assurance Fund",
    "Dental Cooperative",
    "Sickness Guild",
    "Vision Network",
    "Marine Society",
    "Rural League",
    "Giant Plan",
    "Mutual Health Plan",
    "Orchard Society",
    "Harbor Union",
    "Castle Fellowship",
    "Meadow Alliance",
)


def plan(number, kind):
    """What a payer of this number is called: no two begin alike, so that nothing joins them but what is meant to."""
    return {"name": f"{word(KINDS_OF_PLAN.index(kind) * 400 + number)} {kind}", "city": "Bath"}


def word(place):
    """Two words; those of another place begin otherwise."""
    head = SYLLABLES[place // len(SYLLABLES)] + SYLLABLES[place * 7 % len(SYLLABLES)]
    chance = Random(place)
    return f"{head}{''.join(chance.sample(SYLLABLES, 2))} {''.join(chance.sample(SYLLABLES, 4))}".title()


def review(_, deliver, number):
    known = plan(number, "Health Plan")
    deliver("payer", ("billing-north", f"a{number}", known, []), ("ehr-north", f"b{number}", {**known, "city": "Salem"}, []))


def mapping(world, deliver, number):
    scenes.wards(world, deliver, 1, number)


def overlay(_, deliver, number):
    """An update that turns a man into a woman of another name, age and home."""
    days = f"{1 + number % 28:02}", f"{1 + number % 27 + 1:02}"
    he = {"given_name": "Robert", "family_name": word(number).split()[0], "birth_date": f"{1925 + number}-01-{days[0]}", "sex": "M"}
    she = {"given_name": "Linda", "family_name": word(number + 200).split()[0], "birth_date": f"{1999 - number}-11-{days[1]}", "sex": "F"}
    homes = (
        {"address_line": f"{900 + number} {word(number + 400)}", "city": "Bath"},
        {"address_line": f"3 {word(number + 600)}", "city": "Austin"},
    )
    for person, home in zip((he, she), homes, strict=True):
        deliver("patient", ("ehr-north", f"r{number}", person | home, []))


def cut(_, deliver, number):
    scenes.proposed_cut(deliver, number, plan(number, "Mutual Health Plan")["name"])


def split(world, deliver, number):
    """Somebody asks whether a payer of two records is one."""
    rows = [
        (system, f"s{number}", plan(number, "Benefit Trust"), [("us-naic", f"{20000 + number}")])
        for system in ("billing-north", "ehr-north")
    ]
    golden = deliver("payer", *rows)[0].golden_id
    world.run(lambda session: clusters.ask(session, PAYER, SYSTEM_ACTOR, golden))


def shared_identifier(_, deliver, number):
    """A man and a woman with one number, whom nothing else joins."""
    mbi = [("us-mbi", f"1EG4-TE5-MK{number:02}")]
    she = {"given_name": "Greta", "family_name": word(number + 800).split()[0], "birth_date": f"{1930 + number}-04-12", "sex": "F"}
    he = {"given_name": "Otto", "family_name": word(number + 1000).split()[0], "birth_date": f"{2010 - number}-10-30", "sex": "M"}
    deliver("patient", ("ehr-north", f"i{number}", she, mbi), ("ehr-mercy", f"i{number}", he, mbi))


def drift(world, deliver, number):
    """A payer moves although a steward has said where it is."""
    known = plan(number, "Assurance Fund")
    golden = deliver("payer", ("billing-north", f"d{number}", known, []))[0].golden_id
    world.run(lambda session: pin(session, PAYER, golden, NewPin("city", "Salem"), ACT))
    deliver("payer", ("billing-north", f"d{number}", {**known, "city": "Newport"}, []))


def request(world, deliver, number):
    """One system keeps two records of what a person says is one payer."""
    rows = [("billing-north", f"q{number}{word}", plan(number, word), []) for word in ("Dental Cooperative", "Sickness Guild")]
    one, other = (row.golden_id for row in deliver("payer", *rows))
    world.run(lambda session: identity.link_only(session, PAYER, one, [other], ACT))


def undone(world, deliver, number):
    """A merge is taken back under a later one, which holds what it joined."""
    words = ("Vision Network", "Marine Society", "Rural League")
    one, two, three = (deliver("payer", ("billing-north", f"u{number}{word}", plan(number, word), []))[0].golden_id for word in words)
    first = world.run(lambda session: identity.merge(session, PAYER, one, [two], ACT))
    world.run(lambda session: identity.merge(session, PAYER, three, [one], ACT))
    world.run(lambda session: undo(session, PAYER, first.decision_id, ACT))


def oversize(world, deliver, number):
    """A payer of one record more than its bound."""
    rows = [("billing-north", f"o{number}-{n}", plan(number, "Giant Plan"), [("us-naic", f"{30000 + number}")]) for n in range(41)]
    goldens = sorted({row.golden_id for row in deliver("payer", *rows)})
    world.run(lambda session: identity.merge(session, PAYER, goldens[0], goldens[1:], ACT))


def merge(world, deliver, number):
    """Somebody wants two payers to be one."""
    goldens = [
        deliver("payer", ("billing-north", f"g{number}{word}", plan(number, word), []))[0].golden_id
        for word in ("Orchard Society", "Harbor Union")
    ]
    world.run(lambda session: asking._task(session, PAYER, Asked(kind="merge", goldens=goldens, verdict="same"), ACT))


def move(world, deliver, number):
    """Somebody wants a record of one payer to go to another."""
    rows = [
        (system, f"v{number}", plan(number, "Castle Fellowship"), [("us-naic", f"{40000 + number}")])
        for system in ("billing-north", "ehr-north")
    ]
    left = deliver("payer", *rows)[0]
    joined = deliver("payer", ("billing-north", f"w{number}", plan(number, "Meadow Alliance"), []))[0].golden_id
    asked = Asked(kind="move", goldens=[left.golden_id, joined], verdict="move", records=[left.record_id])
    world.run(lambda session: asking._task(session, PAYER, asked, ACT))


MAKERS = {
    "oversize": oversize,
    "undo": undone,
    "overlay": overlay,
    "cut": cut,
    "split": split,
    "shared_identifier": shared_identifier,
    "drift": drift,
    "request": request,
    "merge": merge,
    "move": move,
    "mapping": mapping,
    "review": review,
}


def mixed(numbers):
    """(kind, number) of so many of each: the kinds whose answers are not taken back first, then in turn, the rare ones last."""
    first = [(kind, n) for kind in ("oversize", "undo") for n in range(numbers[kind])]
    rest = [[(kind, n) for n in range(numbers[kind])] for kind in MAKERS if kind not in {"oversize", "undo"}]
    turns = zip_longest(*(each[::-1] for each in rest))
    return [*first, *[each for each in chain.from_iterable(turns) if each is not None][::-1]]
