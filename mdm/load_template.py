"""A blank workbook for one domain: a column for each thing that a load may bring, checked while it is filled in. Pure.

Every column is text, so that a spreadsheet keeps leading zeros and long numbers. Its header is what suggestions recognise without doubt.
"""

from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE
from mdm.load_targets import IDENTIFIER, KEY, RELATIONSHIP, STATUS, STATUSES, VALID_FROM, VALID_TO, attribute_of, required, targets
from mdm.standardise import KEY_LENGTH_MAX
from mdm.values.date import DATE
from mdm.values.flag import FLAG
from mdm.values.kind import ValueType

_ROWS = 1_048_576
_LIST_LENGTH_MAX = 255  # of a list written into a validation, as spreadsheets have it
_WIDTH = 22


def blank_template(entity: EntityType) -> bytes:
    """The workbook as a file."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = entity.plural
    for place, target in enumerate(targets(entity), 1):
        _add_column(sheet, entity, target, place)
    sheet.freeze_panes = "A2"
    _add_help(book.create_sheet("help"), entity)
    with BytesIO() as file:
        book.save(file)
        return file.getvalue()


def _add_column(sheet: Worksheet, entity: EntityType, target: str, place: int) -> None:
    letter = get_column_letter(place)
    cell = sheet.cell(1, place, target)
    cell.font = Font(bold=target in required(entity))
    sheet.column_dimensions[letter].width = _WIDTH
    sheet.column_dimensions[letter].number_format = "@"
    check = _validation(entity, target, letter)
    check.promptTitle, check.prompt = target[:32], _prompt(entity, target)[:255]
    check.showInputMessage = check.showErrorMessage = check.allow_blank = True
    check.add(f"{letter}2:{letter}{_ROWS}")
    sheet.add_data_validation(check)


def _validation(entity: EntityType, target: str, letter: str) -> DataValidation:
    """A list where there is one, a key once only, else the length."""
    choices = ",".join(_choices(entity, target))
    if choices and len(choices) <= _LIST_LENGTH_MAX:
        return DataValidation(type="list", formula1=f'"{choices}"', error=f"one of {choices}"[:255])
    if target == KEY:
        return DataValidation(type="custom", formula1=f"=COUNTIF(${letter}:${letter},{letter}2)=1", error="each key once")
    attribute = attribute_of(entity, target)
    longest = KEY_LENGTH_MAX if attribute is None or attribute.many else attribute.type.max_length
    return DataValidation(type="textLength", operator="lessThanOrEqual", formula1=str(longest), error=f"at most {longest} characters")


def _choices(entity: EntityType, target: str) -> tuple[str, ...]:
    attribute = attribute_of(entity, target)
    if target == STATUS:
        return STATUSES
    if attribute is None:
        return ()
    return ("true", "false") if attribute.type is FLAG else attribute.choices


def _prompt(entity: EntityType, target: str) -> str:
    needed = "Required. " if target in required(entity) else ""
    kind = _kind(target, entity)
    example = f"For example {kind.example}." if kind is not None else ""
    return f"{needed}{_help(entity, target)} {example}".strip() or target


def _kind(target: str, entity: EntityType) -> ValueType | None:
    attribute = attribute_of(entity, target)
    if attribute is not None:
        return attribute.type
    if target.startswith(IDENTIFIER):
        return BY_CODE[target.removeprefix(IDENTIFIER)].type
    return DATE if target in {VALID_FROM, VALID_TO} else None


def _help(entity: EntityType, target: str) -> str:
    attribute = attribute_of(entity, target)
    if attribute is not None:
        return attribute.help or attribute.title + "."
    if target.startswith(IDENTIFIER):
        system = BY_CODE[target.removeprefix(IDENTIFIER)]
        return system.help or system.label + "."
    if target.startswith(RELATIONSHIP):
        rule = entity.relationship(target.removeprefix(RELATIONSHIP))
        return "" if rule is None else f"The key of the {rule.target.replace('_', ' ')}. {rule.help}".strip()
    return {KEY: "The key of the record in its own system.", STATUS: "Active unless said otherwise."}.get(target, "A whole date.")


def _add_help(sheet: Worksheet, entity: EntityType) -> None:
    sheet.append(["column", "required", "what it is", "example", "values"])
    for target in targets(entity):
        kind = _kind(target, entity)
        needed = "yes" if target in required(entity) else ""
        row = [target, needed, _help(entity, target), "" if kind is None else kind.example, ", ".join(_choices(entity, target))]
        sheet.append(row)
    for letter in "ABCDE":
        sheet.column_dimensions[letter].width = 2 * _WIDTH
