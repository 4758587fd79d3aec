"""What was said and is not decided: it waits for a second person, or two people disagree. 202, with the task on which it goes on."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from mdm.asking import UNDECIDED
from mdm.jsonio import dumps


class ProposalSchema(Schema):
    """Proposed: a second person decides, who is not told what. Disagreed: two said otherwise, nothing happened, the task is open again."""

    outcome = fields.String(required=True, validate=validate.OneOf(UNDECIDED))
    task_id = fields.UUID(required=True, attribute="task")
    verdict = fields.String(required=True, metadata={"description": "What you said."})
    proposer = fields.String(metadata={"description": "Who had proposed; told once you have spoken."})
    proposed = fields.String(metadata={"description": "What they had proposed; told once you have spoken."})


def undecided(told: Mapping[str, Any]) -> Response | None:
    """The answer to what decided nothing yet; None where it did."""
    if told["outcome"] not in UNDECIDED:
        return None
    headers = {"Location": f"/v1/tasks/{told['task']}"}
    return Response(dumps(ProposalSchema().dump(told)), HTTPStatus.ACCEPTED, headers, content_type="application/json")
