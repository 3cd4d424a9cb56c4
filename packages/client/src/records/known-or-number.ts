/**
 * A value this version of the client has no name for, kept as the server sent it.
 *
 * @example
 * ```ts
 * const [runner] = await client.runners.list();
 * const state: RunnerState | Unknown | undefined = runner?.state;
 * if (typeof state === 'object') console.log(`a state that this version has no name for: ${state.unknown}`);
 * ```
 */
export type Unknown = { readonly unknown: number };

/** The name of a wire number, or the number itself as {@link Unknown}: a newer server never makes a call fail. */
export function nameOf<T extends string>(names: Readonly<Record<number, T>>, value: number): T | Unknown {
  return names[value] ?? { unknown: value };
}
