import { toShellWord } from '../shell-word.ts';
import type { CompletionNode } from './completion-tree.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/** The completion of `lanner` as a script for a shell. Pure. */
export function completionScript(shell: Shell, tree: readonly CompletionNode[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](tree);
}

/** The lines of a `case` that finds the next place; bash and zsh read the same. */
function steps(tree: readonly CompletionNode[], indent: string): string {
  return tree
    .flatMap(({ path, children }) =>
      children.map((child) => {
        const patterns = child.words.map((word) => `'${path}|${word}'`).join('|');
        return `${indent}${patterns}) place='${child.path}' ;;`;
      }),
    )
    .join('\n');
}

function bashScript(tree: readonly CompletionNode[]): string {
  const words = tree.map(({ path, children, options, arguments: values }) => {
    const all = [...children.flatMap(({ words: names }) => names), ...values.map(({ word }) => word)];
    return `    '${path}') words='${all.join(' ')}'; options='${options.map(({ word }) => word).join(' ')}' ;;`;
  });
  const values = tree.flatMap(({ path, values: known }) =>
    known.map(({ names, choices }) => {
      const patterns = names.map((name) => `'${path}|${name}'`).join('|');
      const reply =
        choices.length > 0 ? `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current"))` : 'compopt -o default';
      return `    ${patterns}) ${reply}; return ;;`;
    }),
  );
  return `# bash completion of lanner: eval "$(lanner completion bash)"
_lanner() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  local place='' words='' options='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$place|\${COMP_WORDS[index]}" in
${steps(tree, '      ')}
    esac
  done
  case "$place|$before" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
  fi
}
complete -F _lanner lanner
`;
}

function zshScript(tree: readonly CompletionNode[]): string {
  const described = (word: string, summary: string): string =>
    quote(`${word.replaceAll(':', String.raw`\:`)}:${summary}`);
  const words = tree.map(({ path, children, options, arguments: values }) => {
    const commands = [
      ...children.flatMap(({ words: [name = ''], summary }) => [described(name, summary)]),
      ...values.map(({ word, summary }) => described(word, summary)),
    ];
    return `    '${path}')
      words_here=(${commands.join(' ')})
      options_here=(${options.map(({ word, summary }) => described(word, summary)).join(' ')}) ;;`;
  });
  const values = tree.flatMap(({ path, values: known }) =>
    known.map(({ names, choices }) => {
      const patterns = names.map((name) => `'${path}|${name}'`).join('|');
      return `    ${patterns}) ${choices.length > 0 ? `compadd -- ${choices.join(' ')}` : '_files'}; return ;;`;
    }),
  );
  return `#compdef lanner
# zsh completion of lanner: eval "$(lanner completion zsh)"
_lanner() {
  local place='' index
  local -a words_here options_here
  for ((index = 2; index < CURRENT; index++)); do
    case "$place|\${words[index]}" in
${steps(tree, '      ')}
    esac
  done
  case "$place|\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options_here
  elif (( \${#words_here} > 0 )); then
    _describe command words_here
  else
    _files
  fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _lanner lanner
`;
}

function fishScript(tree: readonly CompletionNode[]): string {
  const lines: string[] = [];
  for (const { path, children, options, values, arguments: known } of tree) {
    const here = `-n ${quote(`__lanner_is ${path === '' ? "''" : quote(path)}`)}`;
    for (const { words, summary } of children) {
      lines.push(`complete -c lanner -f ${here} -a ${quote(words.join(' '))} -d ${quote(summary)}`);
    }
    for (const { word, summary } of known) lines.push(`complete -c lanner -f ${here} -a ${word} -d ${quote(summary)}`);
    for (const { word, summary } of options) {
      const name = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
      const value = values.find(({ names }) => names.includes(word));
      const argument =
        value === undefined ? '' : value.choices.length > 0 ? ` -x -a ${quote(value.choices.join(' '))}` : ' -r';
      lines.push(`complete -c lanner ${here} ${name}${argument} -d ${quote(summary)}`);
    }
  }
  const cases = tree.flatMap(({ path, children }) =>
    children.map(({ words, path: next }) => {
      return `            case ${words.map((word) => quote(`${path}|${word}`)).join(' ')}\n                set place ${quote(next)}`;
    }),
  );
  return `# fish completion of lanner: lanner completion fish > ~/.config/fish/completions/lanner.fish
function __lanner_is
    set -l place ''
    for word in (commandline -opc)[2..-1]
        switch "$place|$word"
${cases.join('\n')}
        end
    end
    test "$place" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** In single quotes; the text may hold some itself. */
function quote(text: string): string {
  return text === '' ? "''" : toShellWord(text).startsWith("'") ? toShellWord(text) : `'${text}'`;
}
