"""The picture side of the Emoji demo models, which all of them share."""
