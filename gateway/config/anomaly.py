"""Settings of the models of what is usual at each site."""

from __future__ import annotations

from pydantic import Field

from gateway.config.values import Flag, Section, Whole


class AnomalyModel(Section):
    """Learning what is usual: an isolation forest for each site and kind of request, from accepted traffic. It weighs beside other findings and never
    rejects. `leadgate model status` tells where it stands.
    """

    enabled: Flag = Field(
        default=True,
        description="Train in the background, and use what was trained. Off: no model counts or is tried out.",
    )
    directory: str = Field(
        default="var/models",
        min_length=1,
        description="Directory of the model files. A relative path counts from this file; several machines need a shared one.",
    )
    every_hours: Whole = Field(default=24, ge=1, le=24 * 30, description="Hours after which a model is trained anew.")
    minimum: Whole = Field(
        default=2_000,
        ge=2_000,
        le=500_000,
        description="Accepted requests of a site and kind below which nothing is learned: what is unusual among few is chance.",
    )
    newest: Whole = Field(
        default=50_000,
        ge=2_000,
        le=500_000,
        description="Most accepted requests that are learned from, the newest ones.",
    )
    shadow_hours: Whole = Field(
        default=24,
        ge=0,
        le=24 * 30,
        description="Hours that a new model is tried out before it counts, if it is not worse than the one in force by then.",
    )
    max_seconds: Whole = Field(
        default=900,
        ge=30,
        le=86_400,
        description="Seconds that training in the background may take; then it is ended and tried again when next due.",
    )
    max_memory_mb: Whole = Field(
        default=2_048,
        ge=512,
        le=65_536,
        description="Address space of the training process, in MiB. It runs only while it trains.",
    )
