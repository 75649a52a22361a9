"""D questions: metrics as data, programs composed from them, what they print, and the door they pass through."""
