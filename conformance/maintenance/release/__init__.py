"""May this tree be released? Every question, and one verdict."""
