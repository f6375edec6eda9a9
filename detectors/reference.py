"""The lists, matchers and settings detectors read: immutable, built once per generation, so that detectors stay pure."""
