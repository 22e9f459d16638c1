"""What the viewer and Instance Masks show: overlays, masks, and the files of the page's own view."""
