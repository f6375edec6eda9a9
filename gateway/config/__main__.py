"""Prints what is generated from the model: `python -m gateway.config reference` or `… schema`."""

from __future__ import annotations

import sys

from gateway.config import reference, schema_text

if __name__ == "__main__":
    texts = {"reference": reference, "schema": schema_text}
    if len(sys.argv) != 2 or sys.argv[1] not in texts:
        sys.exit("usage: python -m gateway.config reference|schema")
    sys.stdout.write(texts[sys.argv[1]]())
