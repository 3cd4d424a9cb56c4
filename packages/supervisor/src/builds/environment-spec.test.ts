import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError, type EnvironmentDefinition, type Json } from '@lanner/protocol';
import { parseEnvironment } from './environment-spec.ts';

const virtualenv = (configuration: { [key: string]: Json }): EnvironmentDefinition => ({
  kind: 'virtualenv',
  configuration,
});
const layersOf = (definition: EnvironmentDefinition): string[][] => {
  const spec = parseEnvironment(definition);
  assert.ok(spec.kind === 'virtualenv');
  return spec.layers;
};
const refuses = (definition: EnvironmentDefinition, text: RegExp): void => {
  assert.throws(
    () => parseEnvironment(definition),
    (error) => {
      assert.ok(isLannerError(error));
      assert.equal(error.code, 'build_failed');
      assert.match(error.message, text);
      return true;
    },
  );
};

describe('parseEnvironment', () => {
  it('gives equal definitions equal ids and others other ones', () => {
    const base = { python_version: '3.11', requirements: ['six==1.16.0'] };
    const { id } = parseEnvironment(virtualenv(base));
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(
      parseEnvironment(virtualenv({ ...base, requirements: [['six==1.16.0']] })).id,
      id,
      'one layer is a flat list',
    );
    assert.equal(parseEnvironment(virtualenv({ ...base, resolver: 'uv' })).id, id, 'everything is resolved by uv');
    assert.notEqual(parseEnvironment(virtualenv({ ...base, python_version: '3.12' })).id, id);
    assert.notEqual(parseEnvironment(virtualenv({ ...base, requirements: ['six==1.17.0'] })).id, id);
    assert.notEqual(parseEnvironment(virtualenv({ ...base, requirements: [['six==1.16.0'], ['dill']] })).id, id);
  });

  it('keeps layers in order, and allows options in one string or two', () => {
    const layers = layersOf(
      virtualenv({
        requirements: [
          ['torch', '--extra-index-url', 'https://example.org/whl'],
          [' git+https://example.org/x '],
          [''],
        ],
      }),
    );
    assert.deepEqual(layers, [
      ['torch', '--extra-index-url https://example.org/whl'],
      ['git+https://example.org/x'],
      [],
    ]);
  });

  it('gives a conda environment the same id however it is written', () => {
    const conda = (configuration: { [key: string]: Json }): string =>
      parseEnvironment({ kind: 'conda', configuration: { python_version: '3.11', ...configuration } }).id;
    const id = conda({ packages: ['numpy=1.26'], channels: ['conda-forge'], pip: ['six'] });
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(conda({ packages: [' numpy=1.26 '], pip: ['six'] }), id, 'conda-forge is the default');
    assert.equal(conda({ env_dict: { name: 'x', dependencies: ['numpy=1.26', { pip: ['six'] }] } }), id);
    assert.equal(conda({ env_yml_str: 'dependencies: [numpy=1.26]', pip: ['six'] }), id);
    assert.notEqual(conda({ packages: ['numpy=1.26'], pip: ['six', 'dill'] }), id);
    assert.notEqual(conda({ packages: ['numpy=1.26'], pip: ['six'], channels: ['bioconda'] }), id);
    assert.notEqual(conda({ packages: ['numpy=1.26'], pip: ['six'], python_version: '3.12' }), id);
    assert.notEqual(parseEnvironment(virtualenv({ python_version: '3.11', requirements: ['six'] })).id, id);
  });

  it('builds a container without an image like a virtualenv', () => {
    assert.deepEqual(layersOf({ kind: 'container', configuration: { python_version: '3.11' } }), [[]]);
  });

  it('refuses with a sentence what it cannot build', () => {
    refuses({ kind: 'container', configuration: { image: { dockerfile_str: 'FROM x' } } }, /container engine/);
    refuses(virtualenv({ python_version: '2.7' }), /2\.7/);
    refuses(virtualenv({ python_version: 3.11 }), /3\.11/);
    refuses(virtualenv({ requirements: 'six' }), /not a list/);
    refuses(virtualenv({ requirements: [1] }), /not a string/);
    refuses(virtualenv({ requirements: ['six\n--index-url https://evil.example'] }), /line break/);
    refuses(virtualenv({ requirements: ['six \\'] }), /line break/);
    refuses(virtualenv({ requirements: ['a', ['b']] }), /mix/);
    refuses(virtualenv({ resolver: 'poetry' }), /poetry/);
  });
});
