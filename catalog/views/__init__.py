"""The catalog's pages, one module per noun."""
