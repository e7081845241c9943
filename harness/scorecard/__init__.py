"""A printed table as measured: each of its cells with the number of finished runs beside it, and a verdict in words."""
