/**
 * Our .proto files against the official Python packages: every service, method, message, field, number, type, presence,
 * oneof and enum value has to be the same on both sides.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { create, createFileRegistry, type DescFile, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from '@bufbuild/protobuf/wkt';
import { file_agent } from '@lanner/protocol/agent';
import { file_common } from '@lanner/protocol/common';
import { file_controller } from '@lanner/protocol/controller';
import { file_health } from '@lanner/protocol/health';
import { file_server } from '@lanner/protocol/isolate';

import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { describeFile } from './describe-file.ts';

const ours: DescFile[] = [file_agent, file_common, file_controller, file_health, file_server];

describe('our .proto files', () => {
  let official: Map<string, DescFile>;
  before(async () => {
    official = await loadOfficialFiles();
  });

  for (const file of ours) {
    const name = `${file.name}.proto`;
    test(`${name} says what the official package says`, () => {
      const theirs = official.get(basename(name));
      assert.ok(theirs, `the official packages have no ${name}; they have ${[...official.keys()].join(', ')}`);
      const expected = describeFile(theirs);
      const actual = describeFile(file);
      assert.ok(expected.length > 5, 'the official descriptor was read');
      assert.deepEqual(difference(expected, actual), [], `in the official ${name} and not in ours`);
      assert.deepEqual(difference(actual, expected), [], `in our ${name} and not in the official one`);
    });
  }

  test('there is one for each official file', () => {
    assert.deepEqual([...official.keys()].sort(), ours.map((file) => `${file.name}.proto`).sort());
  });
});

/** File name without folders → descriptor, read out of the installed Python packages. */
async function loadOfficialFiles(): Promise<Map<string, DescFile>> {
  const { python } = await ensurePythonEnv();
  const script = join(import.meta.dirname, 'official_descriptors.py');
  const { stdout } = await promisify(execFile)(python, [script]);
  const encoded = JSON.parse(stdout) as Record<string, string>;
  const protos = Object.values(encoded).map((text) =>
    fromBinary(FileDescriptorProtoSchema, Buffer.from(text, 'base64')),
  );
  const registry = linkFiles(protos);
  return new Map(protos.map((proto) => [basename(proto.name), registry.getFile(proto.name)!]));
}

function linkFiles(protos: FileDescriptorProto[]): FileRegistry {
  const wellKnown = [file_google_protobuf_struct.proto, file_google_protobuf_timestamp.proto];
  const pending = [...wellKnown, ...protos];
  const ordered: FileDescriptorProto[] = [];
  while (pending.length > 0) {
    const isLinked = (name: string): boolean => ordered.some((file) => file.name === name);
    const next = pending.findIndex((file) => file.dependency.every(isLinked));
    assert.notEqual(next, -1, `imports cannot be resolved: ${pending.map((file) => file.name).join(', ')}`);
    ordered.push(...pending.splice(next, 1));
  }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: ordered }));
}

function difference(left: string[], right: string[]): string[] {
  const known = new Set(right);
  return left.filter((line) => !known.has(line));
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
