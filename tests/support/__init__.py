"""Real database servers and clients for tests, benchmarks and documentation."""
