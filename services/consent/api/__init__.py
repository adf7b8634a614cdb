"""The registry's HTTP interface, one file per resource. Only the other services call it."""
