"""Labels: how they are stated, read from files and taken from a CRM, and what they say together."""
