"""Turn models and files into migrations, proven in a scratch database before they are written."""
