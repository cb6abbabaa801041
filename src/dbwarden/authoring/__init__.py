"""Models and files -> migrations, proven in a scratch database before they are written."""
