"""Text in, data sets out: finding and reading files of any format, records, manifests."""
