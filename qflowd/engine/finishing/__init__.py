"""One group commit: outcomes are written, rows behind them advance, instances close."""
