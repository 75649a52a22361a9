"""zfs send and receive under way, as their processes and their logs tell of them: texts in, no host, no clock."""
