import { DeployError, type ClientErrorCode } from '../errors/client-error.ts';
import type { Frame } from './frames.ts';

/** What the loader said went wrong, in words: the file and line where there is one, and the names there are. */
export function fromLoaderError(
  header: Frame['header'],
  where: { file: string | undefined; phase: string },
): DeployError {
  const said = String(header['message'] ?? '');
  const file = where.file ?? 'the app';
  const details = Object.fromEntries(
    Object.entries(header).filter(([name]) => !['type', 'code', 'message', 'rpc'].includes(name)),
  );
  const candidates = (header['candidates'] as string[] | undefined) ?? [];
  const names = candidates.map((name) => `"${name}"`).join(', ');
  switch (header['code']) {
    case 'python_syntax_error': {
      const at = `${String(header['file'] ?? file)}, line ${String(header['line'] ?? '?')}`;
      return make('python_syntax_error', `${at}: ${said}`, String(header['text'] ?? '').trim() || undefined);
    }
    case 'several_apps':
      return make(
        'several_apps',
        `${file} holds several apps: ${names}.`,
        `Name one of them, e.g. "${file}::${candidates[0] ?? 'App'}".`,
      );
    case 'app_not_in_file':
      return candidates.length === 0 && !said.includes('"')
        ? make(
            'app_not_in_file',
            `${file} holds no app: no subclass of fal.App and no function with @fal.function.`,
            undefined,
          )
        : make(
            'app_not_in_file',
            `There is no app ${said.split('"')[1] ? `"${said.split('"')[1]}"` : ''} in ${file}.`,
            candidates.length > 0 ? `It has ${names}.` : 'It has no apps at all.',
          );
    case 'python_module_missing':
      return make(
        'python_module_missing',
        `${file} imports ${String(header['module'])}, which the Python that loads it does not have.`,
        `Install it there, or import it inside the methods that need it and list it in requirements.`,
      );
    case 'app_load_failed':
      return make('app_load_failed', `${file} could not be loaded: ${said}`, lastLines(header['traceback']));
    case 'pyproject_invalid':
      return make('pyproject_invalid', said, 'Correct pyproject.toml.');
    case 'python_preparation_failed':
      return make('python_preparation_failed', said, 'Install fal into it: `pip install fal`.');
    case 'function_raised':
      return make('function_raised', `The function raised ${said}`, undefined);
    case 'result_not_json':
      return make(
        'result_not_json',
        `The result of the function is no JSON value: ${said}.`,
        'Return numbers, texts, lists and dicts; the function itself ran to its end.',
      );
    default:
      return make(
        where.phase === 'building' ? 'build_failed' : where.phase === 'loading' ? 'app_load_failed' : 'deploy_failed',
        said,
        undefined,
      );
  }

  function make(code: ClientErrorCode, message: string, advice: string | undefined): DeployError {
    return new DeployError(code, message, { advice, details });
  }
}

function lastLines(traceback: unknown): string | undefined {
  if (typeof traceback !== 'string') return undefined;
  return (
    traceback
      .trimEnd()
      .split('\n')
      .slice(-4, -1)
      .map((line) => line.trim())
      .join(' ') || undefined
  );
}
