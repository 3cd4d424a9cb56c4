import type { EnvironmentDefinition, Json } from '@lanner/protocol';

const mostNames = 100;

/** Names of the secrets that the requirements of an environment mention as `${NAME}` (platform-semantics 9). */
export function requirementSecretNames({ configuration }: EnvironmentDefinition): string[] {
  const names = new Set<string>();
  for (const text of textsOf(configuration['requirements'])) {
    for (const [, name] of text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g))
      if (names.size < mostNames) names.add(name!);
  }
  return [...names];
}

/** The strings of a list, or of a list of lists. */
function* textsOf(value: Json | undefined): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (Array.isArray(value)) for (const item of value) yield* textsOf(item);
}
