"""What the first page and the bell show: for their routes, the stream and `qflowd top`."""
