"""`python -m gateway.cli`, the same as `leadgate`."""

from gateway.cli.main import main

main()
