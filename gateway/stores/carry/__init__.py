"""What one store wrote, taken over by another byte for byte."""
