"""What every client does: find the workspace, plan commands, hand them to the engine, collect outcomes."""
