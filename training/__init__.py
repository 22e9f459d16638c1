"""Training and evaluation of T2ICount networks: `python -m training.train --help`, `python -m training.evaluate --help`.

Runs in the Python of ComfyUI and with its classes, but without its server.
"""

from .pack import register_pack

register_pack()
