"""What is checked before a release; nothing of it is shipped. docs/releasing.md says how to use it."""
