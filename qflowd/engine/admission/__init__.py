"""From a submission to the rows of an instance."""
