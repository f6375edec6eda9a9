"""How campaigns do against their own past: clicks and engaged visitors by campaign, publisher and creative, in buckets of ten minutes over a week."""
