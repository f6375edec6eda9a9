"""What no single setting of `outcomes` can tell."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Setting
from gateway.config.outcomes import LEAST_SECRET, weak


def check_outcomes(setting: Setting) -> Iterator[Finding]:
    """Names that stand twice, secrets that are not set, hold-outs that hold nothing out."""
    for number, site in enumerate(setting.config.sites):
        for place, form in enumerate(site.forms):
            if form.holdout.share and form.on_review == "forward":
                yield Finding(
                    ("sites", number, "forms", place, "holdout"),
                    "nothing is held here, so that nothing can be held out",
                    "take holdout out, or write on_review: hold",
                    "warning",
                )
    names = [each.source for each in setting.config.outcomes]
    for number, each in enumerate(setting.config.outcomes):
        if each.source in names[:number]:
            yield Finding(
                ("outcomes", number, "source"), f"{each.source} stands twice", "give each source a name of its own"
            )
        missing = [name for name in each.secret_env if not setting.environ.get(name)]
        if missing:  # only the gateway needs them: its commands must work without
            yield Finding(
                ("outcomes", number, "secret_env"),
                f"the environment variable {missing[0]} is not set: what is signed with it is refused",
                "set it for the gateway to the secret that the sender signs with, or take its name out",
                "warning",
            )
        guessed = [name for name in each.secret_env if (value := setting.environ.get(name)) and weak(value)]
        if guessed:
            yield Finding(
                ("outcomes", number, "secret_env"),
                f"the secret in the environment variable {guessed[0]} is no base64 or has fewer than {LEAST_SECRET} bytes: what is signed with it is refused",
                "make one and give it to the sender: echo whsec_$(openssl rand -base64 32)",
                "warning",
            )
