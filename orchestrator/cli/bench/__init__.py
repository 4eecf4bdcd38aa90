"""``orchestrator bench``: what can be measured. A command's options stand in a module each."""
