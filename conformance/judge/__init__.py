"""From what single checks found to one verdict per claim and lane."""
