"""leadgate.yaml: the model, and loading it with every problem named at once."""

from gateway.config.command import Checked, check, init, schema_text
from gateway.config.limits import Limits, UpstreamLimits
from gateway.config.lists import ListEntry, Lists
from gateway.config.load import admin_token, default_path, load, parse
from gateway.config.model import RESTART_KEYS, Config
from gateway.config.problems import ConfigError, Problem, render
from gateway.config.process import Postgres, Redis
from gateway.config.schema import json_schema, reference
from gateway.config.sites import Form, LandingPage, Match, Roles, Site, Success
from gateway.config.template import template
from gateway.config.values import Address, pattern_regex

__all__ = [
    "RESTART_KEYS",
    "Address",
    "Checked",
    "Config",
    "ConfigError",
    "Form",
    "LandingPage",
    "Limits",
    "ListEntry",
    "Lists",
    "Match",
    "Postgres",
    "Problem",
    "Redis",
    "Roles",
    "Site",
    "Success",
    "UpstreamLimits",
    "admin_token",
    "check",
    "default_path",
    "init",
    "json_schema",
    "load",
    "parse",
    "pattern_regex",
    "reference",
    "render",
    "schema_text",
    "template",
]
