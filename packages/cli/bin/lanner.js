#!/usr/bin/env node
// Plain JavaScript that any Node from 12.17 on can run: it finds a Node that can run Lanner, then gets out of the way.
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import module from 'module';
import { join } from 'path';
import { fileURLToPath } from 'url';

const neededMajor = 24;
const self = fileURLToPath(import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= neededMajor) run();
else rerun();

function run() {
  if (module.enableCompileCache) module.enableCompileCache();
  // a checkout runs its sources, an installed package what was built from them
  const source = new URL('../src/main.ts', import.meta.url);
  const entry = existsSync(source) ? source : new URL('../dist/main.js', import.meta.url);
  import(entry.href).then(
    (cli) => cli.main(process.argv.slice(2)),
    (error) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}

function rerun() {
  const node = pinnedNode();
  if (node === null) {
    console.error(
      'error: Lanner needs Node ' +
        neededMajor +
        ' or newer; this is Node ' +
        process.versions.node +
        '.\n' +
        'Install it from https://nodejs.org, or run `npm install` again with optional dependencies on Linux.',
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [self].concat(process.argv.slice(2)), { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself where there is a terminal; it decides when to end.
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'].forEach((signal) => {
    process.on(signal, () => {
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
    });
  });
  child.on('error', (error) => {
    console.error('error: ' + node + ' cannot be started (' + error.code + ').');
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The Node that npm installed beside Lanner, or null. */
function pinnedNode() {
  if (process.platform !== 'linux') return null;
  try {
    const manifest = module.createRequire(import.meta.url).resolve('node-linux-' + process.arch + '/package.json');
    const node = join(manifest, '..', 'bin', 'node');
    return existsSync(node) ? node : null;
  } catch {
    return null;
  }
}
