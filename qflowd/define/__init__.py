"""What people write: workflow files, builders, expressions, JSON Schemas, and the documents they stand in."""
