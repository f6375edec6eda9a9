"""The parts of the detection table, one file for each kind of data. Each offers `rows(judge)` and raises `Absent` where its list is not there."""
