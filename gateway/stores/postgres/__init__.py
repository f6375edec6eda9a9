"""The system of record in PostgreSQL, shared by many gateways."""
