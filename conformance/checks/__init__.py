"""What is judged: features, LangChain's standard suites, faults and properties."""
