"""The version of equalinfo, also written to every manifest."""

__version__ = "0.1.0"
