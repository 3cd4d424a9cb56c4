import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { expandRequirements } from './expand-requirements.ts';

const refuses = (lines: string[], secrets: Record<string, string>, text: RegExp): void =>
  assert.throws(
    () => expandRequirements(lines, secrets),
    (error) => isLannerError(error) && error.code === 'build_failed' && text.test(error.message),
  );

describe('expandRequirements', () => {
  it('puts the values of secrets in the place of their names, as often as they are mentioned', () => {
    assert.deepEqual(
      expandRequirements(
        ['six', 'git+https://${USER_NAME}:${token}@host/a.git', '$token ${ token } $${V}', '${V}${V}'],
        {
          USER_NAME: 'ada',
          token: 's3cret',
          V: '$&',
        },
      ),
      ['six', 'git+https://ada:s3cret@host/a.git', '$token ${ token } $$&', '$&$&'],
    );
  });

  it('names what is missing, and never shows a value', () => {
    refuses(['x @ https://${TOKEN}@host'], {}, /\$\{TOKEN\}.*fal secrets set TOKEN=/);
    refuses(['${constructor}'], {}, /no secret of this name/);
    assert.throws(
      () => expandRequirements(['${TOKEN}'], { TOKEN: 'hunter2\n--index-url evil' }),
      (error) => /The secret TOKEN holds a line break/.test(String(error)) && !String(error).includes('hunter2'),
    );
  });
});
