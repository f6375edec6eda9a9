"""Settings of what is learned from leads: a CRM that says what became of them, and a part of holds that is forwarded to measure them."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.config.values import Section, Slug, one_or_many, refuse
from gateway.model import Label

RESERVED = ("review", "csv")
"""Sources of labels that people give."""


LEAST_SECRET = 24
"""Bytes of a shared secret, as Standard Webhooks asks for; a password decodes to fewer, and labels that anybody can sign teach what he likes."""


def weak(secret: str) -> bool:
    """Is this no secret, or one that can be guessed?"""
    try:
        return len(base64.b64decode(secret.removeprefix("whsec_") + "==")) < LEAST_SECRET
    except ValueError:  # no base64, or not even ASCII
        return True


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", value):
        raise refuse(
            "this is no name of an environment variable",
            "write letters, digits and underscores, for example CRM_SECRET",
        )
    return value


_Variable = Annotated[str, AfterValidator(_variable)]
_Stage = Annotated[str, Field(min_length=1, max_length=100)]


def _labels(value: Any) -> Any:
    """`Closed Won: customer`; a label that is none is told with the list."""
    if isinstance(value, dict):
        for stage, label in value.items():
            if label not in list(Label):
                raise refuse(f'"{stage}" is mapped to "{label}", which is no label', f"write one of {', '.join(Label)}")
    return value


class OutcomeSource(Section):
    """One CRM, or whatever else says what became of a lead. Its messages are signed per Standard Webhooks."""

    source: Slug = Field(
        description="Short name; the end of the address it calls (`/_lg/outcomes/NAME`), and the source of its labels."
    )
    secret_env: Annotated[tuple[_Variable, ...], BeforeValidator(one_or_many)] = Field(
        min_length=1,
        max_length=4,
        description=(
            "Environment variable that holds the shared secret (`whsec_…` per Standard Webhooks), or several while a secret is "
            "replaced: a message signed with any of them is taken."
        ),
    )
    format: Literal["leadgate"] = Field(
        default="leadgate",
        description=(
            "`leadgate`: a JSON object, or a list of them, with `lead_id` or `email`, `outcome`, and if known `value`, `currency`, `at`."
        ),
    )
    map: Annotated[dict[_Stage, Label], BeforeValidator(_labels)] = Field(
        default_factory=dict,
        max_length=200,
        description=(
            "What the CRM's own stages mean as labels: `Closed Won: customer`. Letter case makes no difference. Stages that are "
            "neither here nor labels themselves are counted and left out."
        ),
    )

    @model_validator(mode="after")
    def _not_reserved(self) -> OutcomeSource:
        if self.source in RESERVED:
            raise refuse(
                f"{self.source} is the source of labels that people give", "choose another name, for example crm"
            )
        return self

    def label_of(self, outcome: str) -> str | None:
        """The label that an outcome means; None where nobody said so."""
        word = outcome.strip().casefold()
        mapped = next((label for stage, label in self.map.items() if stage.strip().casefold() == word), None)
        if mapped is not None:
            return mapped
        return word if word in list(Label) else None


class HoldOut(Section):
    """In `enforce`, a random part of the submissions that the score alone would hold is forwarded, marked as `review`, and followed by outcome."""

    share: Annotated[float, Field(strict=True, ge=0, le=0.2)] = Field(
        default=0.0,
        description=(
            "Which part: 0 (none) to 0.2. Never what a list, a rejecting signal or an unreadable form decided. 0.1 costs one doubtful lead in ten "
            "that nobody looks at before the origin has it."
        ),
    )
