"""Tags and filters of the catalog's pages."""
