"""Images: limits, decoding in a confined process, sanitised copies, and text detection."""
