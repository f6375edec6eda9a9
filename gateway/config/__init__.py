"""leadgate.yaml: the model, and loading it with every problem named at once."""

from gateway.config.lists import ListEntry, Lists
from gateway.config.model import Config
from gateway.config.process import Limits, UpstreamLimits
from gateway.config.sites import Form, LandingPage, Match, Roles, Site, Success
from gateway.config.values import Address, pattern_regex

__all__ = [
    "Address",
    "Config",
    "Form",
    "LandingPage",
    "Limits",
    "ListEntry",
    "Lists",
    "Match",
    "Roles",
    "Site",
    "Success",
    "UpstreamLimits",
    "pattern_regex",
]
