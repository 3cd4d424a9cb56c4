/** What a program does that installed the client. */
import { ServerlessClient, isClientError } from '@lanner/client';

const codeOf = (error: unknown): string => (isClientError(error) ? error.code : String(error));

await using client = new ServerlessClient({ apiKey: 'no colon' });
process.stdout.write(
  `${await client.apps.list().then(
    () => 'listed',
    (error: unknown) => codeOf(error),
  )}\n`,
);
process.stdout.write(
  `${await client.deploy('nowhere.py').then(
    () => 'deployed',
    (error: unknown) => codeOf(error),
  )}\n`,
);
