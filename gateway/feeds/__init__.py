"""Lists of networks that others publish: fetched with care, checked, kept, and read with the shipped ones."""
