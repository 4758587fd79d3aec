"""What can go wrong, by name. The docstring is the default message; `mdm/problems.py` alone knows the HTTP status.

ConcordError
├── SettingsError            the environment contradicts itself
├── ServiceError             PostgreSQL, the broker or a port cannot be had
├── Invalid                  the request says something impossible; nothing was written
│   ├── UnknownDomain
│   ├── UnknownSystem
│   ├── InvalidRecord        with one problem per field
│   ├── UnusableInput        a command's files or options: status 2 in the shell
│       └── UnusableFile     a delivered file that cannot be read as a table: names file, row, column and remedy
├── NotFound
├── Gone                     a position in a history that ended
├── Unauthenticated
├── Forbidden
├── Unguarded                a write without the version that was read, or without the key of its form
├── Conflict                 the state forbids the act
│   ├── Stale                somebody else was quicker
│   ├── InProgress           the same request is being done at this moment
│   ├── PlanStale            a load's plan does not know what happened since; names the difference
│   └── HierarchyLoop        something would be above itself; names the way round
├── Busy                     locks or connections ran out: try again
└── Unavailable              the database is gone
"""

from dataclasses import dataclass
from errno import EDQUOT, EFBIG, ENOSPC


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: a stable code, where it stands (a JSON pointer), and a remedy in words. Never the value itself."""

    code: str
    pointer: str
    message: str


def invalid_period(pointer: str) -> FieldProblem:
    """The one wording for dates in the wrong order; the pointer names the field, so that the words name none."""
    return FieldProblem("invalid_period", pointer, "the last day lies before the first")


class ConcordError(Exception):
    """Something went wrong."""

    code = "internal_error"

    def __init__(self, message: str = "", problems: tuple[FieldProblem, ...] = ()) -> None:
        self.message = message or (self.__doc__ or "").splitlines()[0]
        self.problems = problems
        super().__init__(self.message)


class SettingsError(ConcordError):
    """The settings cannot be used."""

    code = "bad_settings"


class ServiceError(ConcordError):
    """A service that Concord needs cannot be had."""

    code = "service_unavailable"


class Invalid(ConcordError):
    """The request cannot be understood."""

    code = "invalid_request"

    @classmethod
    def at(cls, code: str, pointer: str, message: str) -> "Invalid":
        """One field is wrong."""
        return cls(problems=(FieldProblem(code, pointer, message),))


class UnknownDomain(Invalid):
    """There is no such domain."""

    code = "unknown_domain"


class UnknownSystem(Invalid):
    """There is no such system."""

    code = "unknown_system"


class InvalidRecord(Invalid):
    """The record has fields that cannot be accepted."""

    code = "invalid_record"


class UnusableInput(Invalid):
    """The files or options cannot be used."""

    code = "unusable_input"


class UnusableFile(UnusableInput):
    """The file cannot be read as a table."""

    code = "unusable_file"


class TooBroad(Invalid):
    """This took too long and was given up. Ask for less: more letters, a number, or one domain."""

    code = "too_broad"


class NotFound(ConcordError):
    """There is nothing here, or nothing that you may see."""

    code = "not_found"


class Gone(ConcordError):
    """What this refers to has ended."""

    code = "gone"


class Unauthenticated(ConcordError):
    """A valid API key is needed."""

    code = "unauthenticated"


class Forbidden(ConcordError):
    """Your key or role does not allow this."""

    code = "forbidden"


class Unguarded(ConcordError):
    """This form needs the version that was read and its own key; open the page again and send it from there."""

    code = "precondition_required"


class Conflict(ConcordError):
    """The present state does not allow this."""

    code = "conflict"


class Stale(Conflict):
    """Somebody changed this since you read it."""

    code = "stale"


class InProgress(Conflict):
    """The request with this key is being done at this moment; ask again for its answer."""

    code = "in_progress"


class PlanStale(Conflict):
    """Things have changed since this plan was made: plan again."""

    code = "plan_stale"


class HierarchyLoop(Conflict):
    """The relationship would close a loop."""

    code = "hierarchy_loop"


class Busy(ConcordError):
    """Too much is going on at once; try again in a moment."""

    code = "busy"


class NoRoom(ConcordError):
    """The disk is full, and what did not fit was not kept in part; make room, then do it again."""

    code = "no_room"

    @staticmethod
    def is_why(error: BaseException) -> bool:
        """Whether this failed for want of room: a full disk, a quota, a limit to the size of files."""
        return isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT, EFBIG}


class Unavailable(ConcordError):
    """The database cannot be reached; try again in a moment."""

    code = "unavailable"
