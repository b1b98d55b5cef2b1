"""Each paper's formula written out plainly: slow, obvious, and independent of the library."""
