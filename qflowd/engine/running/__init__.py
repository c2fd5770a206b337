"""The hot loop: claimed rows go to workers, and what comes back is gathered."""
