"""From a prompt to tokens: where each counted word lies in a conditioning, whatever the text encoder."""
