import { ConfigurationError } from '../errors/client-error.ts';

/** The name on the wire: `app`, or `app--staging` outside main. */
export function fullAlias(appName: string, environmentName: string | undefined): string {
  if (typeof appName !== 'string' || appName === '') {
    throw new ConfigurationError('invalid_argument', 'The name of the app is empty.', {
      advice: 'Give the name that `apps.list()` shows.',
    });
  }
  return environmentName && environmentName !== 'main' ? `${appName}--${environmentName}` : appName;
}

/** `environmentName` of a message: set only when it was given. */
export function environmentField(environmentName: string | undefined): { environmentName?: string } {
  return environmentName ? { environmentName } : {};
}
