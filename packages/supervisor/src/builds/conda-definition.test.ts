import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError, type Json } from '@lanner/protocol';
import { parseConda } from './conda-definition.ts';

type Configuration = { [key: string]: Json };

const refuses = (configuration: Configuration, text: RegExp, pythonVersion = '3.11'): void => {
  assert.throws(
    () => parseConda(configuration, pythonVersion),
    (error) => {
      assert.ok(isLannerError(error));
      assert.equal(error.code, 'build_failed');
      assert.match(error.message, text);
      return true;
    },
  );
};
const yaml = `
name: mine
prefix: /somewhere/else
channels:
  - nvidia/label/cuda-12.1.0
  - nodefaults
dependencies:
  - numpy >=1.26
  - conda-forge::gdal=3.8
  - python-dateutil
  - pip:
      - six==1.16
      - --extra-index-url
      - https://example.org/whl
`;

describe('parseConda', () => {
  it('reads packages, channels and pip requirements from lists', () => {
    assert.deepEqual(
      parseConda({ packages: ['pyjokes'], channels: ['conda-forge', 'bioconda'], pip: ['six'] }, '3.11'),
      {
        channels: ['conda-forge', 'bioconda'],
        packages: ['pyjokes', 'python=3.11'],
        pip: ['six'],
      },
    );
  });

  it('reads YAML, and adds the lists to it', () => {
    assert.deepEqual(
      parseConda({ env_yml_str: yaml, channels: ['https://host.example/t/${T}/c'], pip: ['dill'] }, '3.11.7'),
      {
        channels: ['nvidia/label/cuda-12.1.0', 'https://host.example/t/${T}/c'],
        packages: ['numpy >=1.26', 'conda-forge::gdal=3.8', 'python-dateutil', 'python=3.11.7'],
        pip: ['six==1.16', '--extra-index-url https://example.org/whl', 'dill'],
      },
    );
  });

  it('takes the object before the text before the packages, as isolate does', () => {
    const all = { env_dict: { dependencies: ['a'] }, env_yml_str: 'dependencies: [b]', packages: ['c'] };
    assert.deepEqual(parseConda(all, '3.11').packages, ['a', 'python=3.11']);
    assert.deepEqual(parseConda({ ...all, env_dict: null }, '3.11').packages, ['b', 'python=3.11']);
    assert.deepEqual(parseConda({ packages: [] }, undefined), {
      channels: ['conda-forge'],
      packages: ['python>=3.10'],
      pip: [],
    });
  });

  it('refuses a Python of its own, and one that is too old', () => {
    for (const spec of ['python', 'python=3.12', 'Python >= 3.8', 'conda-forge::python', "python[version='3.9']"])
      refuses({ packages: [spec] }, /set python_version instead/);
    refuses({ packages: [] }, /Python 3\.9 is too old/, '3.9');
  });

  it('refuses what is no conda environment', () => {
    refuses({}, /'env_dict', 'env_yml_str' or 'packages'/);
    refuses({ pip: ['six'] }, /must be specified/);
    refuses({ packages: 'numpy' }, /not a list: "numpy"/);
    refuses({ env_dict: ['numpy'] }, /env_dict is not a conda environment/);
    refuses({ env_yml_str: 'just text' }, /env_yml_str is not a conda environment.*"just text"/);
    refuses({ env_yml_str: 7 }, /not a string: 7/);
    refuses({ env_dict: { dependencies: [{ 'sel(linux)': 'x' }] } }, /neither a package nor `pip`/);
    refuses({ env_dict: { dependencies: [{ pip: 'six' }] } }, /pip .* not a list/);
    refuses({ env_dict: { dependencies: [3.1] } }, /A package is not a string: 3\.1/);
    refuses({ env_dict: { variables: { A: 'b' }, dependencies: [] } }, /fal secrets set/);
    refuses({ env_dict: { platforms: [] } }, /unknown key "platforms"/);
    refuses({ packages: Array.from({ length: 2001 }, () => 'a') }, /more than 2000/);
    const many = Array.from({ length: 300_000 }, () => 'a');
    refuses({ env_dict: { dependencies: [{ pip: many }] }, pip: many }, /more than 2000/);
    refuses({ env_dict: { dependencies: many.map(() => ({ pip: ['a'] })) } }, /more than 2000/);
  });

  it('refuses YAML that is broken, huge, deep, or grows by aliases', () => {
    refuses({ env_yml_str: 'a: b: c' }, /cannot be read as YAML .* at line 1, column 4\.$/);
    refuses({ env_yml_str: 'x: &a [1]\ny: *a' }, /without aliases/);
    refuses({ env_yml_str: ' '.repeat(32_769) }, /longer than/);
    refuses({ env_yml_str: '['.repeat(32_768) }, /cannot be read/);
    refuses({ env_yml_str: '__proto__: {}' }, /unknown key "__proto__"/);
  });

  it('refuses options, files and control characters', () => {
    for (const spec of ['-c evil', '--file=x', '/etc/passwd', './x.conda', '~/x', '@EXPLICIT', '${X}', '', 'file:///x'])
      refuses({ packages: [spec] }, /no specification for conda/);
    refuses({ packages: ["a[channel='file:///x']"] }, /no specification/);
    refuses({ packages: ['a\nb'] }, /control character or line break/);
    for (const channel of ['file:///srv/channel', '/srv/channel', '../x', '-x', 's3://bucket', 'https://a b', '${X}'])
      refuses({ packages: [], channels: [channel] }, /neither a name .* nor an http address/);
  });

  it('shows no password', () => {
    refuses({ packages: [], channels: ['ftp://ada:hunter2@host/t/s3cret/x'] }, /^(?!.*(hunter2|s3cret))/);
  });
});
