/** What an editor offers: completions of a language service, in a project on disk. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ensureTool } from '../../scripts/tool-env.ts';

/** The part of TypeScript's API that is used here. TypeScript 7 has none, so that of the tools is taken. */
interface TypeScript {
  ScriptTarget: { ES2022: number };
  ModuleKind: { NodeNext: number };
  ModuleResolutionKind: { NodeNext: number };
  sys: {
    fileExists(path: string): boolean;
    readFile(path: string): string | undefined;
    readDirectory(path: string): string[];
  };
  getDefaultLibFilePath(options: object): string;
  ScriptSnapshot: { fromString(text: string): unknown };
  createLanguageService(host: object): {
    getCompletionsAtPosition(
      file: string,
      position: number,
      options: object,
    ): { entries: { name: string }[] } | undefined;
  };
}

/** The names offered at `|` in each of these modules of the project in `folder`. */
export async function completionsAt(folder: string, texts: readonly string[]): Promise<string[][]> {
  const typescript = createRequire(join(await ensureTool('docs'), 'package.json'))('typescript') as TypeScript;
  const files = new Map(texts.map((text, index) => [join(folder, `complete-${index}.ts`), text]));
  const read = (path: string): string | undefined => files.get(path)?.replace('|', '') ?? typescript.sys.readFile(path);
  const service = typescript.createLanguageService({
    getCompilationSettings: () => ({
      strict: true,
      target: typescript.ScriptTarget.ES2022,
      module: typescript.ModuleKind.NodeNext,
      moduleResolution: typescript.ModuleResolutionKind.NodeNext,
    }),
    getScriptFileNames: () => [...files.keys()],
    getScriptVersion: () => '1',
    getScriptSnapshot: (path: string) => {
      const content = read(path);
      return content === undefined ? undefined : typescript.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (options: object) => typescript.getDefaultLibFilePath(options),
    fileExists: (path: string) => files.has(path) || typescript.sys.fileExists(path),
    readFile: read,
    readDirectory: typescript.sys.readDirectory,
  });
  return [...files].map(([path, text]) => {
    const found = service.getCompletionsAtPosition(path, text.indexOf('|'), {});
    return (found?.entries ?? []).map(({ name }) => name);
  });
}
