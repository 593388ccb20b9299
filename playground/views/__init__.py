"""The playground's pages and the stream behind them."""
