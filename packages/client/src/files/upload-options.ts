import { ConfigurationError } from '../errors/client-error.ts';
import type { CallOptions } from '../transport/call-options.ts';

/**
 * How far an upload is.
 *
 * @example
 * ```ts
 * const show = (progress: UploadProgress): void => console.log(progress);
 * ```
 */
export interface UploadProgress {
  uploadedBytes: number;
  /** Null for a stream, whose size nobody knows. */
  totalBytes: number | null;
}

/**
 * What a reader may: `forbid` answers 403, `hide` 404 as if there were nothing.
 *
 * @example
 * ```ts
 * const decision: FileDecision = 'hide';
 * ```
 */
export type FileDecision = 'allow' | 'forbid' | 'hide';

/**
 * Who may read an uploaded file.
 *
 * @example
 * ```ts
 * const access: FileAccess = { default: 'forbid' };
 * ```
 */
export interface FileAccess {
  /** For whoever no rule fits. Default `allow`. */
  default?: FileDecision | undefined;
  /** `user`: nickname or id of an account. */
  rules?: { user: string; decision: FileDecision }[] | undefined;
}

/**
 * How to store a file.
 *
 * @example
 * ```ts
 * const options: StorageUploadOptions = { timeoutMs: 60_000 };
 * ```
 */
export interface StorageUploadOptions extends CallOptions {
  /** Default: the name of the file, or one made from the content type. */
  fileName?: string | undefined;
  /** Default: that of the Blob, or one guessed from the file's name. */
  contentType?: string | undefined;
  /** Seconds from now on after which the file is gone, or one of the names. `never` and left out: what the account settled, else for ever. */
  expiresIn?: number | 'never' | 'immediate' | '1h' | '1d' | '7d' | '30d' | '1y' | undefined;
  /** Default: what the account settled, else everybody who knows the URL. */
  access?: FileAccess | undefined;
  onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/** The names as the official clients have them. */
const namedSeconds: Record<string, number | null> = {
  never: null,
  immediate: 60,
  '1h': 3600,
  '1d': 86_400,
  '7d': 604_800,
  '30d': 2_592_000,
  '1y': 31_536_000,
};

/** The headers that tell the platform about lifetime and access. Throws `invalid_argument`. */
export function lifecycleHeaders({ expiresIn, access }: StorageUploadOptions): Record<string, string> {
  const lifecycle: Record<string, unknown> = {};
  if (expiresIn !== undefined) {
    const seconds = typeof expiresIn === 'number' ? expiresIn : namedSeconds[expiresIn];
    if (seconds === undefined || (seconds !== null && !(Number.isInteger(seconds) && seconds > 0))) {
      throw new ConfigurationError('invalid_argument', `"${expiresIn}" is no time after which a file can expire.`, {
        advice: `Give whole seconds, or one of ${Object.keys(namedSeconds).join(', ')}.`,
      });
    }
    if (seconds !== null) lifecycle['expiration_duration_seconds'] = seconds;
  }
  if (access !== undefined) lifecycle['initial_acl'] = access;
  return Object.keys(lifecycle).length === 0 ? {} : { 'x-fal-object-lifecycle': JSON.stringify(lifecycle) };
}
