"""The explorer and the HTTP interface: questions about fitted models, answered in arrays and JSON."""
