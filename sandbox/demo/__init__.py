"""The main job before one's eyes: a story goes to people who agreed, and one of them says stop."""
