/** Fails when a file imports what it may not; see boundaries/boundaries.ts. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { findViolations } from './boundaries/find-violations.ts';

const root = dirname(import.meta.dirname);
const paths = globSync('packages/*/{src,bin}/**/*.{ts,tsx,js,mjs}', {
  cwd: root,
  exclude: (name) => name === 'node_modules' || name === 'dist',
});
const files = paths
  .sort()
  .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(root, path), 'utf8') }));
const violations = findViolations(files);
for (const violation of violations) process.stderr.write(`${violation}\n`);
if (files.length === 0) process.stderr.write('no source files were found\n');
process.exitCode = violations.length > 0 || files.length === 0 ? 1 : 0;
