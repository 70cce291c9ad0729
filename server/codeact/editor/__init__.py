"""The editor's door: the language server's session, its commands, and what goes over the wire."""
