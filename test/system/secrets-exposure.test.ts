import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

const functions = 'test/system/apps/secret_readers.py';
const app = 'test/system/apps/simple.py::SimpleApp';

describe('what a runner sees of secrets, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    await ok(['environments', 'create', 'qa']);
    await ok(['secrets', 'set', 'EXPOSED=default', 'BOTH=of main']);
    await ok(['secrets', 'set', 'HIDDEN=if told', '--not-exposed-by-default']);
    await ok(['secrets', 'set', 'BOTH=of qa', '--env', 'qa']);
  });
  after(() => platform.stop());

  const ok = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args);
    assert.equal(code, 0, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const seenBy = async (name: string, ...more: string[]): Promise<Record<string, string>> => {
    const stdout = await ok(['run', `${functions}::${name}`, ...more]);
    return JSON.parse(/^SEEN (.*)$/m.exec(stdout)?.[1] ?? assert.fail(stdout)) as Record<string, string>;
  };

  it('shows what is exposed by default to code that names nothing', async () => {
    assert.deepEqual(await seenBy('names_nothing'), { EXPOSED: 'default', BOTH: 'of main' });
  });

  it('shows nothing to code that names an empty list', async () => {
    assert.deepEqual(await seenBy('names_none'), {});
  });

  it('shows what is named and nothing else; FAL_KEY may be among the names', async () => {
    assert.deepEqual(await seenBy('names_hidden'), { HIDDEN: 'if told' });
  });

  it('does not fall back from an environment to main', async () => {
    assert.deepEqual(await seenBy('names_nothing', '--env', 'qa'), { BOTH: 'of qa' });
    const { code, stdout } = await platform.fal(['run', `${functions}::names_hidden`, '--env', 'qa']);
    assert.equal(code, 1);
    assert.match(stdout, /the secret "HIDDEN", which the environment "qa" does not have/);
  });

  it('hides the values of secrets in what a runner prints', async () => {
    await ok(['secrets', 'set', 'LATER=a-long-and-secret-value']);
    assert.equal((await seenBy('names_nothing'))['LATER'], '********');
    await ok(['secrets', 'unset', 'LATER']);
  });

  it('exposes a secret again that is set again', async () => {
    await ok(['secrets', 'set', 'LATER=1', '--not-exposed-by-default']);
    await ok(['secrets', 'set', 'LATER=2']);
    const listed = JSON.parse(await ok(['secrets', 'list', '--json'])) as {
      secrets: { name: string; default_exposed: boolean }[];
    };
    assert.equal(listed.secrets.find(({ name }) => name === 'LATER')?.default_exposed, true);
    assert.equal((await seenBy('names_nothing'))['LATER'], '2');
    await ok(['secrets', 'unset', 'LATER']);
    assert.equal((await seenBy('names_nothing'))['LATER'], undefined);
  });

  it('refuses names and environments that cannot be', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await platform.fal(args);
      assert.equal(code, 1, stdout + stderr);
      return stdout;
    };
    assert.match(await refused('secrets', 'set', 'bad-name=1'), /"bad-name" cannot be the name of a secret/);
    assert.match(await refused('secrets', 'set', 'A=1', '--env', 'nowhere'), /"nowhere" was not found.*qa/);
    assert.match(await refused('secrets', 'unset', 'NOTHING'), /"NOTHING" was not found/);
    assert.match(await refused('environments', 'create', 'a--b'), /cannot be the name of an environment/);
    assert.match(await refused('environments', 'delete', 'main', '--yes'), /"main" always exists/);
    assert.match(await refused('deploy', app, '--env', 'nowhere'), /"nowhere" was not found/);
    assert.match(await refused('deploy', app, '--app-name', 'Bad Name!'), /Use "bad-name"/);
  });

  it('deletes the apps and secrets of an environment with it', async () => {
    await ok(['deploy', app, '--env', 'qa']);
    const call = () =>
      platform.call('/simple-app--qa/', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a": 1}',
      });
    assert.equal((await call()).status, 200);
    await ok(['environments', 'delete', 'qa', '--yes']);
    assert.equal((await call()).status, 404);
    assert.deepEqual(JSON.parse(await ok(['runners', 'list', '--json'])), { runners: [] });
    await ok(['environments', 'create', 'qa']);
    assert.deepEqual(JSON.parse(await ok(['apps', 'list', '--env', 'qa', '--json'])), { apps: [] });
    assert.deepEqual(JSON.parse(await ok(['secrets', 'list', '--env', 'qa', '--json'])), { secrets: [] });
  });
});
