"""What each `hdpo` command does, as plain functions: options in, exit code out."""
