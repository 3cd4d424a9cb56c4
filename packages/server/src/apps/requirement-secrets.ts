import type { EnvironmentDefinition, Json } from '@lanner/protocol';

const mostNames = 100;

/** Keys of all kinds of environment under which a requirement, package or channel can stand. */
const keys = ['requirements', 'pip', 'packages', 'channels', 'env_dict', 'env_yml_str'];

/** Names of the secrets that the requirements of an environment mention as `${NAME}` (platform-semantics 9). */
export function requirementSecretNames({ configuration }: EnvironmentDefinition): string[] {
  const names = new Set<string>();
  for (const text of keys.flatMap((key) => [...textsOf(configuration[key])])) {
    for (const [, name] of text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g))
      if (names.size < mostNames) names.add(name!);
  }
  return [...names];
}

/** The strings in a value, at any depth. */
function* textsOf(value: Json | undefined): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) yield* textsOf(item);
}
