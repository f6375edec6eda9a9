"""What recorded traffic teaches: changed rules tried on it before anything goes live, and weights refitted on labels. Offline commands only."""
