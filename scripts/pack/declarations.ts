import { globSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const relativeImport = /((?:from |import\()')(\.[^']+)\.ts'/g;

/**
 * Makes the declarations in `folder` fit for publishing: they name each other with the endings of what was compiled, which
 * every TypeScript understands; what no entry leads to is removed, and so is the mention of maps that are not shipped.
 * @param entries declarations that `exports` lead to, relative to `folder`
 */
export async function tidyDeclarations(folder: string, entries: readonly string[]): Promise<void> {
  const reached = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (reached.has(path)) return;
    reached.add(path);
    const text = await readFile(join(folder, path), 'utf8');
    for (const [, , target] of text.matchAll(relativeImport)) {
      await visit(relative(folder, join(folder, dirname(path), `${target}.d.ts`)));
    }
    const tidied = text.replace(relativeImport, "$1$2.js'").replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
    await writeFile(join(folder, path), tidied);
  };
  for (const entry of entries) await visit(entry);
  for (const path of globSync('**/*.d.ts', { cwd: folder })) {
    if (!reached.has(path)) await rm(join(folder, path));
  }
}
