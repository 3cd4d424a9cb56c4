import { LannerError } from '@lanner/protocol';

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/**
 * Puts secrets in the place of `${NAME}` in requirement lines (platform-semantics 9): a private index needs a token, and the
 * definition that clients send and see must not hold it.
 * @param what `requirement`, or what else the lines are, for the errors.
 * @throws LannerError `build_failed` for a name without a value, and for a value that is no part of one line.
 */
export function expandRequirements(
  lines: readonly string[],
  secrets: Readonly<Record<string, string>>,
  what = 'requirement',
): string[] {
  return lines.map((line) =>
    line.replace(reference, (_, name: string) => {
      const value = Object.hasOwn(secrets, name) ? secrets[name]! : undefined;
      if (value === undefined) {
        throw new LannerError(
          'build_failed',
          `A ${what} mentions \${${name}}, and the environment has no secret of this name. Set it with \`fal secrets set ${name}=…\`.`,
        );
      }
      // eslint-disable-next-line no-control-regex
      if (/[\u0000-\u001f\u007f\u2028\u2029]/.test(value)) {
        throw new LannerError(
          'build_failed',
          `The secret ${name} holds a line break or control character, so it cannot stand in a ${what}.`,
        );
      }
      return value;
    }),
  );
}
