import { ConfigurationError } from '../errors/client-error.ts';
import type { DeployOptions } from './deploy-types.ts';

const longestMessage = 2048;
const mostAnnotations = 32;
const longestAnnotationKey = 64;
const mostAnnotationBytes = 16_384;
const reservedKeys = new Set(['openapi', 'message', 'annotations']);

/** Refuses what the server would refuse, before anything is loaded. */
export function checkDeployOptions(options: DeployOptions, isProjectApp: boolean): void {
  const { message, annotations = {}, strategy, attach } = options;
  // Code points, as Python counts them.
  const length = message === undefined ? 0 : Array.from(message).length;
  if (length > longestMessage) throw refuse(`The message has ${length} characters; ${longestMessage} are possible.`);
  const entries = Object.entries(annotations);
  if (entries.length > mostAnnotations)
    throw refuse(`There are ${entries.length} annotations; ${mostAnnotations} are possible.`);
  for (const [key, value] of entries) {
    if (key === '' || key.length > longestAnnotationKey) {
      throw refuse(
        `The annotation key "${key.slice(0, longestAnnotationKey)}" has to have 1 to ${longestAnnotationKey} characters.`,
      );
    }
    if (reservedKeys.has(key)) throw refuse(`The annotation key "${key}" is taken by the platform.`);
    if (typeof value !== 'string') throw refuse(`The annotation "${key}" has to be a text.`);
  }
  const bytes = Buffer.byteLength(
    `{${entries.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(', ')}}`,
  );
  if (bytes > mostAnnotationBytes)
    throw refuse(`The annotations have ${bytes} bytes as JSON; ${mostAnnotationBytes} are possible.`);
  if (attach !== undefined && strategy !== undefined && strategy !== 'rolling') {
    throw refuse('attach is for rolling deployments only; leave it out, or the strategy.');
  }
  if (isProjectApp && (options.appName !== undefined || options.auth !== undefined)) {
    throw refuse('appName and auth cannot be given for an app of pyproject.toml: they are written there.');
  }
}

const refuse = (message: string): ConfigurationError => new ConfigurationError('invalid_argument', message);
