"""One published task: its deadlines, its selections and its assignments."""
