import { mainEnvironment } from '../../apps/alias-name.ts';

/** The environment a request means: unset, empty and `main` are the same. */
export function environmentNameOf(sent: string | undefined): string {
  return sent === undefined || sent === '' ? mainEnvironment : sent;
}
