import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { basename as localBasename, join as localJoin } from 'node:path';
import type { ServerlessClient, UploadProgress } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { connectionOptions } from '../command/shared-options.ts';
import { Progress, progressBar } from '../terminal/progress.ts';

/** Fetching a URL takes the platform as long as it takes. */
const fetchTimeoutMs = 600_000;

const list = defineCommand<ConnectionOptions & { path: string }>({
  name: 'list',
  aliases: ['ls'],
  summary: 'List files.',
  arguments: [{ name: 'path', summary: 'The path to list.', required: false, default: '/' }],
  options: connectionOptions,
  run: async (input, context) => {
    const { terminal, signal } = context;
    const blue = (name: string): string => terminal.style('blue', name);
    // The root is there for its one folder.
    if (input.path === '/') {
      terminal.print(blue('data'));
      return;
    }
    const client = await context.client(input);
    for (const entry of await client.files.list(absolute(input.path), { signal })) {
      terminal.print(entry.isFile ? entry.name : blue(entry.name));
    }
  },
});

const download = defineCommand<ConnectionOptions & { remotePath: string; localPath: string }>({
  name: 'download',
  summary: 'Download files.',
  arguments: [
    { name: 'remote_path', summary: 'Remote path to download.' },
    { name: 'local_path', summary: 'Local path to download to; into it when it is a folder.' },
  ],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    const remote = absolute(input.remotePath);
    const isInside = isLocalFolder(input.localPath) && !input.remotePath.endsWith('/');
    const target = isInside ? localJoin(input.localPath, basename(remote)) : input.localPath;
    await transfer(`Downloading ${remote}`, context, (onProgress) =>
      client.files.download(remote, target, { onProgress, signal: context.signal }),
    );
  },
});

const upload = defineCommand<ConnectionOptions & { localPath: string; remotePath: string }>({
  name: 'upload',
  summary: 'Upload files.',
  arguments: [
    { name: 'local_path', summary: 'Local path to upload.' },
    { name: 'remote_path', summary: 'Remote path to upload to; into it when it is a folder.' },
  ],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    const remote = absolute(input.remotePath);
    const isInside =
      input.remotePath.endsWith('/') ||
      (!input.localPath.endsWith('/') && (await isRemoteFolder(client, remote, context.signal)));
    const target = isInside ? join(remote, localBasename(input.localPath)) : remote;
    await transfer(`Uploading ${input.localPath}`, context, (onProgress) =>
      client.files.upload(input.localPath, target, { onProgress, signal: context.signal }),
    );
  },
});

const uploadUrl = defineCommand<ConnectionOptions & { url: string; remotePath: string }>({
  name: 'upload-url',
  summary: 'Upload file from URL.',
  arguments: [
    { name: 'url', summary: 'URL to upload; the platform fetches it.' },
    { name: 'remote_path', summary: 'Remote path to upload to.' },
  ],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    const waiting = new Progress(context.terminal);
    waiting.show(`Fetching ${input.url}`);
    try {
      const options = { signal: context.signal, timeoutMs: fetchTimeoutMs };
      await client.files.uploadFromUrl(input.url, absolute(input.remotePath), options);
    } finally {
      waiting.stop();
    }
  },
});

const move = defineCommand<ConnectionOptions & { source: string; destination: string }>({
  name: 'mv',
  summary: 'Move or rename a remote file or directory.',
  arguments: [
    { name: 'source', summary: 'Remote source path.' },
    { name: 'destination', summary: 'Remote destination path.' },
  ],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    await client.files.move(absolute(input.source), absolute(input.destination), { signal: context.signal });
  },
});

const remove = defineCommand<ConnectionOptions & { path: string }>({
  name: 'rm',
  summary: 'Recursively remove a remote file or directory.',
  arguments: [{ name: 'path', summary: 'Remote path.' }],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    await client.files.delete(absolute(input.path), { signal: context.signal });
  },
});

export const filesCommand: CommandSpec = {
  name: 'files',
  summary: '',
  subcommands: [list, download, upload, uploadUrl, move, remove],
};

/** Paths are below `/data` unless they say otherwise. */
function absolute(path: string): string {
  return join('/', path.startsWith('/') ? path : `/data/${path}`).replace(/(.)\/$/, '$1');
}

async function isRemoteFolder(client: ServerlessClient, path: string, signal: AbortSignal): Promise<boolean> {
  if (path === '/data') return true;
  const siblings = await client.files.list(dirname(path), { signal });
  return siblings.some((entry) => entry.path === path && !entry.isFile);
}

function isLocalFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Shows how far a transfer is, on a terminal. */
async function transfer(
  title: string,
  { terminal }: CommandContext,
  run: (onProgress: (progress: UploadProgress) => void) => Promise<void>,
): Promise<void> {
  const line = new Progress(terminal);
  line.show(title);
  try {
    await run(({ uploadedBytes, totalBytes }) => {
      const { isUnicode } = terminal;
      const amount = totalBytes === null ? '' : progressBar(uploadedBytes, totalBytes, isUnicode);
      line.show(`${title}  ${amount || `${(uploadedBytes / 1_000_000).toFixed(1)} MB`}`);
    });
  } finally {
    line.stop();
  }
}
