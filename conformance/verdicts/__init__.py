"""From what single checks found to one verdict for each claim and lane."""
