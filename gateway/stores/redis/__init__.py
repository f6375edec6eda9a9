"""Hot state in Redis 7: alone, behind sentinels, or as a cluster."""
