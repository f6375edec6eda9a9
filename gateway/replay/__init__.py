"""Access logs through the pipeline: what would have been said of traffic that is already past.

The log's own clock is used throughout, counters are private to the run, and records go to a store of their own. A log knows little: an address,
a request line, mostly a referring page and a user agent. What it does not know is unavailable, never suspicious.
"""
