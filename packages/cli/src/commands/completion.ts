import { defineCommand } from '../command/command-spec.ts';
import { completionTree } from '../completion/completion-tree.ts';
import { completionScript, type Shell } from '../completion/shell-scripts.ts';

export const completionCommand = defineCommand<{ shell: Shell }>({
  name: 'completion',
  summary: '',
  description: `Print a completion script.

  bash, zsh:  eval "$(lanner completion bash)"    in ~/.bashrc or ~/.zshrc
  fish:       lanner completion fish > ~/.config/fish/completions/lanner.fish`,
  arguments: [
    { name: 'shell', summary: 'Shell to generate a completion script for.', choices: ['bash', 'zsh', 'fish'] },
  ],
  run: async ({ shell }, { terminal }) => {
    const { loadAllCommands } = await import('../command-table.ts');
    terminal.write(completionScript(shell, completionTree(await loadAllCommands())));
  },
});
