"""What a request is, before anybody decides what to do with it: shared by the public listener and the endpoints that decide for others."""
