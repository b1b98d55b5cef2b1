"""Lightning CLI configurations shipped with the package, one per method and data set."""
