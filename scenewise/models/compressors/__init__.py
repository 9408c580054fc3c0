"""Many tokens to fewer, so that what reads them costs less."""
