"""What maintainers run: drift, corpus, engines, release, mutation, benchmarks, soak, profiles."""
