"""Kill switch: halts and resumes the sending of all payouts."""
