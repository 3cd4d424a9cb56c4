/** The files of a new app, by path. Pure. */
export function appProjectFiles(name: string): Record<string, string> {
  const className = classNameOf(name);
  return {
    'app.py': `"""An app that greets: one class, one endpoint."""

import fal
from pydantic import BaseModel, Field


class Input(BaseModel):
    name: str = Field(description="Who to greet", examples=["Ada"])


class Output(BaseModel):
    message: str


class ${className}(fal.App):
    # The machine it runs on, and how many runners there may be.
    machine_type = "S"
    max_concurrency = 2
    # Seconds an idle runner stays; min_concurrency = 1 keeps one warm.
    keep_alive = 60
    # Packages of its environment, e.g. ["torch==2.9.0"].
    requirements = []

    def setup(self):
        """Runs once in every runner, before its first request: load models here."""
        self.greeting = "Hello"

    @fal.endpoint("/")
    def greet(self, input: Input) -> Output:
        return Output(message=f"{self.greeting}, {input.name}!")
`,
    'pyproject.toml': `[project]
name = "${name}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["fal", "pydantic"]

# \`lanner deploy\` in this folder deploys it.
[tool.fal.apps.${name}]
ref = "app.py::${className}"
auth = "private"
`,
    'README.md': `# ${name}

\`\`\`sh
lanner run ${name}                    # try it: it lives as long as the command
lanner deploy                         # deploy it
lanner api OWNER/${name} name=Ada      # OWNER: see \`lanner auth whoami\`
lanner apps scale ${name} --max-concurrency 4
\`\`\`

The code is in \`app.py\`; what it needs is in the attribute \`requirements\` of its class.
`,
    '.gitignore': '.venv/\n__pycache__/\n*.pyc\n.env\n',
  };
}

/** `my-app-2` → `MyApp2` */
export function classNameOf(name: string): string {
  return name
    .split('-')
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join('');
}
