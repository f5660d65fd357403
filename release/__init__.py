"""What is checked before a release; nothing of it is shipped. docs/development/releasing.md describes it."""
