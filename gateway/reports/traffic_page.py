"""placeholder"""
def render(traffic, source, *, full_addresses=False): return ""
