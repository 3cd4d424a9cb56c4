import os
import stat
import subprocess

import fal


class Files(fal.App):
    @fal.endpoint("/")
    def look(self) -> dict:
        import helper
        from lib.deep.value import VALUE

        def mode(path):
            return oct(stat.S_IMODE(os.stat(path).st_mode))

        with open("written-here", "w") as file:
            file.write("yes")
        return {
            "cwd": os.getcwd(),
            "helper": helper.help_with(1),
            "value": VALUE,
            "tool": subprocess.check_output(["/app/tool.sh", "x"], text=True).strip(),
            "modes": [mode("/app/tool.sh"), mode("/app/helper.py")],
            "ignored": os.path.exists("/app/lib/ignored.txt"),
            "empty": os.path.getsize("/app/empty.txt"),
            "data": os.path.isdir("/data") and os.access("/data", os.W_OK),
        }
