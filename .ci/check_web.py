"""Checks types (TypeScript, from JSDoc) and style (ESLint) of the modules in web/; passes where the tools cannot be had.

The modules import ComfyUI's own from ../../scripts, as they are served, so both tools look at links in a folder like that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("typescript@5.9.3", "eslint@9.39.1", "globals@16.5.0")
TYPES = {
    "compilerOptions": {
        "checkJs": True,
        "lib": ["es2023", "dom", "dom.iterable"],
        "module": "es2022",
        "moduleResolution": "bundler",
        "noEmit": True,
        "preserveSymlinks": True,
        "skipLibCheck": True,
        "target": "es2022",
        "types": [],
    },
    "include": ["extensions/headcount/**/*.js"],
}
STYLE = """
import js from "@eslint/js";
import globals from "globals";
export default [js.configs.recommended, { languageOptions: { globals: globals.browser } }];
"""


def installed(npm: str) -> Path:
    """The folder of the tools' commands; they are fetched once."""
    folder = ROOT / ".cache" / "web_tools"
    wanted = folder / " ".join(TOOLS).replace("@", "-")
    if not wanted.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *TOOLS]
        subprocess.run(command, check=True)
        wanted.touch()
    return folder / "node_modules"


def main() -> int:
    """Run both tools. Returns 0 when both are content."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not here, so web/ was not checked")
        return 0
    try:
        modules = installed(npm)
    except subprocess.CalledProcessError:
        print("the tools could not be fetched, so web/ was not checked")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        served = Path(temporary)
        for folder in ("extensions", "scripts"):
            (served / folder).mkdir()
        (served / "extensions" / "headcount").symlink_to(ROOT / "web")
        (served / "node_modules").symlink_to(modules)
        for name in ("app", "api"):
            (served / "scripts" / f"{name}.d.ts").write_text(f"export const {name}: any;\n")
        (served / "tsconfig.json").write_text(json.dumps(TYPES))
        (served / "eslint.config.mjs").write_text(STYLE)
        commands = (["tsc", "-p", "."], ["eslint", "extensions/headcount/"])
        environment = {**os.environ, "PATH": f"{modules / '.bin'}{os.pathsep}{os.environ['PATH']}"}
        codes = [subprocess.run(command, cwd=served, env=environment).returncode for command in commands]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
