"""How people show who they are: a password, and a second factor whose codes work once.

A password that somebody else has seen (an invitation, a reset) is `due`: it opens nothing but the page where its owner chooses another.
Guesses are counted on every way in, one by one, and lock the account for a while.
"""

import secrets
import string
import time
from functools import cache
from hmac import compare_digest
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.orm import Session
from zxcvbn import zxcvbn

from mdm.access import Actor, NewPrincipal, actor_of, check_grants, insert_principal
from mdm.db import execute, fetch
from mdm.errors import FieldProblem, Invalid

PASSWORD_CHARACTERS = range(15, 129)
_PASSWORD_BYTES = 18
_FAILED_LOGINS_MAX = 10
_STEP_SECONDS = 30  # how long a code of a second factor holds
_ESTIMATED_CHARACTERS, _SCORE_MIN = 72, 3  # of zxcvbn: what it looks at, and from where on 10^8 guesses are too few
_HASHER = PasswordHasher()


def create_person(session: Session, person: NewPrincipal, password: str, *, due: bool = False) -> UUID:
    """Somebody who signs in. Raises Invalid for a password that is too short or too long."""
    check_grants(person)
    made = insert_principal(session, person, "person", hashed(password))
    execute(session, "update principal set password_due = %s where id = %s", (due, made))
    return made


def new_password() -> str:
    """One to hand over; whoever gets it chooses another."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hashed(password: str) -> str:
    """What is kept of a password of 15 to 128 characters (NIST SP 800-63B-4), any of them."""
    if len(password) not in PASSWORD_CHARACTERS:
        wanted = f"{PASSWORD_CHARACTERS.start} to {PASSWORD_CHARACTERS.stop - 1} characters"
        raise Invalid(problems=(FieldProblem("bad_password", "/password", wanted),))
    return _HASHER.hash(password)


def change_password(session: Session, principal_id: UUID, present: str, wanted: str) -> bool:
    """One's own. False for a wrong present one, which the caller commits: it is counted. Raises Invalid for the same or a common one."""
    if present == wanted:
        raise Invalid(problems=(FieldProblem("bad_password", "/password", "another than the present one"),))
    kept = hashed(wanted)
    rows = fetch(
        session,
        "select password_hash, coalesce(locked_until > now(), false), name from principal where id = %s for update",
        (principal_id,),
    )
    check_guessed_late(wanted, rows[0][2])
    if rows[0][1]:
        return False
    right = _password_is_right(rows[0][0], present)
    _count_login(session, principal_id, right=right)
    if right:
        execute(session, "update principal set password_hash = %s, password_due = false where id = %s", (kept, principal_id))
    return right


def check_guessed_late(password: str, name: str) -> None:
    """Raise Invalid for one that is guessed among the first: words and names that many take, repeated or put in a row, one's own name."""
    if zxcvbn(password[:_ESTIMATED_CHARACTERS], ["concord", name])["score"] < _SCORE_MIN:
        words = "one that is not guessed among the first: no common words alone, nothing repeated"
        raise Invalid(problems=(FieldProblem("common_password", "/password", words),))


def reset_password(session: Session, principal_id: UUID, kept: str) -> None:
    """This one from now on (`hashed`), until its owner chooses another; whoever is signed in as them is no longer."""
    statement = "update principal set password_hash = %s, password_due = true, locked_until = null, failed_logins = 0 where id = %s"
    execute(session, statement, (kept, principal_id))
    execute(session, "delete from user_session where principal_id = %s", (principal_id,))


def drop_second_factor(session: Session, principal_id: UUID) -> None:
    """Signing in takes the password alone until a new one is set up; whoever is signed in as them is no longer."""
    execute(session, "update principal set totp_secret = null, totp_step = null where id = %s", (principal_id,))
    execute(session, "delete from user_session where principal_id = %s", (principal_id,))


def sign_in(session: Session, name: str, password: str, code: str = "") -> Actor | None:
    """The person, if password and second factor are right and the account neither locked nor disabled.

    The caller commits a failure too: it is counted.
    """
    rows = fetch(
        session,
        "select id, name, role, domains, systems, grants, password_hash, disabled or coalesce(locked_until > now(), false),"
        " totp_secret, totp_step"
        " from principal where name = %s and kind = 'person' for update",
        (name,),
    )
    right = _password_is_right(rows[0][6] if rows else _nobodys_password(), password)
    if not rows or rows[0][7]:
        return None
    right = right and (rows[0][8] is None or _use_code(session, rows[0][0], rows[0][8], rows[0][9], code))
    _count_login(session, rows[0][0], right=right)
    return actor_of(rows[0]) if right else None


def has_second_factor(session: Session, principal_id: UUID) -> bool:
    return bool(fetch(session, "select totp_secret is not null from principal where id = %s", (principal_id,))[0][0])


def prove(session: Session, principal_id: UUID, proof: str) -> bool:
    """Once more, who has signed in already: by a code, or by the password where there is no second factor. Counted as signing in is."""
    rows = fetch(
        session,
        "select password_hash, totp_secret, totp_step, coalesce(locked_until > now(), false) from principal where id = %s for update",
        (principal_id,),
    )
    password_hash, secret, step, locked = rows[0]
    if locked:
        return False
    right = _password_is_right(password_hash, proof) if secret is None else _use_code(session, principal_id, secret, step, proof)
    _count_login(session, principal_id, right=right)
    return right


def new_second_factor() -> str:
    """A secret for an authenticator, in force once a code of it was shown (`set_second_factor`)."""
    return pyotp.random_base32()


def set_second_factor(session: Session, principal_id: UUID, secret: str, code: str) -> bool:
    """From now on signing in takes a code too. False for a code that is not of this secret."""
    if not _is_base32(secret) or not _use_code(session, principal_id, secret, None, code):
        return False
    execute(session, "update principal set totp_secret = %s where id = %s", (secret, principal_id))
    return True


def _is_base32(text: str) -> bool:
    return len(text) == 32 and set(text) <= set(string.ascii_uppercase + "234567")


def _use_code(session: Session, principal_id: UUID, secret: str, last_step: int | None, code: str) -> bool:
    """Whether the code is of now, or of the half minute before or after, and of none that was used: a code works once."""
    now = int(time.time()) // _STEP_SECONDS
    generator = pyotp.TOTP(secret)
    for step in (now - 1, now, now + 1):
        if step > (last_step or 0) and compare_digest(generator.generate_otp(step).encode(), code.strip().encode()):
            execute(session, "update principal set totp_step = %s where id = %s", (step, principal_id))
            return True
    return False


@cache
def _nobodys_password() -> str:
    """Verified where nobody has this name, so that the time taken does not tell who exists. Made late: hashing is slow on purpose."""
    return _HASHER.hash(secrets.token_hex(16))


def _password_is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def _count_login(session: Session, principal_id: UUID, *, right: bool) -> None:
    execute(
        session,
        "update principal set failed_logins = case when %(right)s then 0 else failed_logins + 1 end,"
        " locked_until = case when not %(right)s and (failed_logins + 1) %% %(most)s = 0 then now() + interval '15 minutes' end"
        " where id = %(id)s",
        {"right": right, "most": _FAILED_LOGINS_MAX, "id": principal_id},
    )
