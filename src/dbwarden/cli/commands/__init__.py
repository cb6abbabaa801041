"""The commands: options in, one library call, one way to show what came back."""
