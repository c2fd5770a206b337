"""What runs beside user code and is imported by it. Imports little: every worker pays for it."""
