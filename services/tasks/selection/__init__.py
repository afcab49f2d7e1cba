"""SelectApplications: a brand selects applicants, each of whom gets an assignment."""
