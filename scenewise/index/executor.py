"""Where the work of encoding videos runs: in this process, or in local worker processes."""
