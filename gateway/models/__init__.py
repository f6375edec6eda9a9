"""Models of what is usual: trained from accepted traffic, checked, signed, published, tried out, watched."""
