/** Files with the official clients: what is uploaded is opened by apps, what apps make is opened by callers, and `/data`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repositoryRoot, startPlatform, type CommandResult, type Platform } from './platform.ts';

const appFile = join(repositoryRoot, 'test/system/apps/file_app.py');

/** Packs a project without anything from an index. */
const packing = `
import io, os, tarfile, zipfile

META = "Metadata-Version: 2.1\\nName: file-package\\nVersion: 1.0\\n"

def build_sdist(folder, config_settings=None):
    name = "file_package-1.0"
    with tarfile.open(os.path.join(folder, name + ".tar.gz"), "w:gz") as archive:
        for path in ("pyproject.toml", "backend.py", "file_package/__init__.py"):
            archive.add(path, f"{name}/{path}")
        information = tarfile.TarInfo(f"{name}/PKG-INFO")
        information.size = len(META)
        archive.addfile(information, io.BytesIO(META.encode()))
    return name + ".tar.gz"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "file_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.write("file_package/__init__.py")
        archive.writestr("file_package-1.0.dist-info/METADATA", META)
        archive.writestr("file_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("file_package-1.0.dist-info/RECORD", "")
    return name
`;

describe('files', () => {
  let platform: Platform;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-files-'));
    platform = await startPlatform();
    ok(await platform.fal(['deploy', `${appFile}::FileApp`, '--app-name', 'files']));
  });
  after(async () => {
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  };
  /** A program whose calls to fal's own hosts arrive here. */
  const exec = async (...command: string[]): Promise<string> =>
    ok(await platform.lanner(['exec', '--data-dir', platform.dataDir, '--', ...command]));
  const call = async (path: string, input: unknown = {}, app = 'files'): Promise<Record<string, unknown>> => {
    const response = await platform.call(`/${app}${path}`, {
      method: 'POST',
      body: JSON.stringify(input),
      headers: { 'content-type': 'application/json' },
    });
    const body = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
  };
  /** Reads a URL as a program on this machine does that trusts our authority, and has no key. */
  const read = async (url: unknown): Promise<string> => {
    const { stdout } = await platform.run('curl', [
      '-sS',
      '--fail',
      '--cacert',
      platform.variables['SSL_CERT_FILE']!,
      String(url),
    ]);
    return stdout;
  };

  it('uploaded with fal_client are opened by an app with the toolkit', async () => {
    const script = `
import asyncio, fal_client
from PIL import Image
open("clip.txt", "w").write("clip")
image = Image.new("RGB", (8, 9), "red")
print(fal_client.upload_image(image, "png"))
print(fal_client.upload(b"sync", "text/plain", "a b.txt"))
print(fal_client.upload(b"fallback", "text/plain", repository="fal"))
print(fal_client.upload_file("clip.txt"))
async def main():
    print(await fal_client.upload_async(b"async", "text/plain"))
    print(await fal_client.upload_file_async("clip.txt"))
    print(await fal_client.upload_image_async(image))
asyncio.run(main())
print(fal_client.upload(b"z" * (101 * 1024 * 1024), "video/mp4", "big.mp4"))
`;
    await writeFile(join(folder, 'upload.py'), script);
    const output = ok(
      await platform.lanner(['exec', '--data-dir', platform.dataDir, '--', 'python', 'upload.py'], { cwd: folder }),
    );
    const [image, text, fallback, file, asyncText, asyncFile, asyncImage, big] = output.trim().split('\n');
    assert.deepEqual(await call('/open', { image_url: image }), { name: 'file.png', bytes: 75, size: [8, 9] });
    assert.deepEqual((await call('/open', { image_url: asyncImage }))['size'], [8, 9]);
    assert.deepEqual(await Promise.all([text, fallback, file, asyncText, asyncFile].map(read)), [
      'sync',
      'fallback',
      'clip',
      'async',
      'clip',
    ]);
    const head = await platform.run('curl', ['-sSI', '--cacert', platform.variables['SSL_CERT_FILE']!, big!]);
    assert.match(head.stdout, /content-length: 105906176/);
  });

  it('made by an app, with every repository of the toolkit, are opened by the caller', async () => {
    for (const repository of ['fal', 'fal_v2', 'fal_v3', 'cdn']) {
      const made = await call('/make', { repository, size: 20 });
      assert.equal(await read(made['url']), 'x'.repeat(20), repository);
    }
    assert.match(String((await call('/make', { repository: 'in_memory' }))['url']), /^data:text\/plain;base64,/);
    const image = await call('/draw');
    assert.deepEqual([image['width'], image['height'], image['content_type']], [5, 7, 'image/png']);
    assert.equal((await call('/open', { image_url: image['url'] }))['bytes'], image['file_size']);
    assert.equal(await read((await call('/reserved'))['url']), 'late');
  });

  it('are all that the toolkit may read here', async () => {
    const { FAL_REST_HOST: host } = platform.variables;
    for (const url of [`https://${host}/health`, `https://${host}/cdn/uploads/x`, 'http://127.0.0.1:1/cdn/files/b/x']) {
      assert.match(String((await call('/refused', { image_url: url }))['refused']), /non-routable address/, url);
    }
  });

  it('and the key-value store of the toolkit is here too', async () => {
    assert.deepEqual(await call('/remember', { name: 'a/b', text: 'é\n' }), { value: 'é\n', after: null });
  });

  it('of the data volume are what runners see', async () => {
    const local = join(folder, 'local');
    await mkdir(join(local, 'sub'), { recursive: true });
    await writeFile(join(local, 'big.bin'), randomBytes(11 * 1024 * 1024));
    await writeFile(join(local, 'sub/text.txt'), 'text');
    ok(await platform.fal(['files', 'upload', local, '/data/up']));
    const made = await call('/make', { repository: 'fal_v3', size: 3 });
    // What stands behind `fal files mv`, `upload-url` and `rm`: one start of Python instead of three.
    const rest = `
from fal.files import FalFileSystem
files = FalFileSystem()
files.mv("up/sub/text.txt", "text.txt")
files.put_file_from_url("${String(made['url'])}", "fetched.txt")
files.rm("up")`;
    ok(await platform.python(rest));
    assert.deepEqual(await call('/volume', { name: 'text.txt' }), { text: 'text' });
    ok(await platform.fal(['files', 'download', '/data/made', join(folder, 'made')]));
    assert.equal(await readFile(join(folder, 'made/out.txt'), 'utf8'), 'by the runner');
    const listed = ok(await platform.fal(['files', 'list', '/data']));
    assert.deepEqual(listed.trim().split('\n').sort(), ['downloads', 'fetched.txt', 'made', 'text.txt']);
  });

  it('uploaded with @fal-ai/client, alone and in parts, are readable', async () => {
    const script = `
import { fal } from '@fal-ai/client';
console.log(await fal.storage.upload(new File(['from js'], 'note.txt', { type: 'text/plain' })));
console.log(await fal.storage.upload(new Blob([new Uint8Array(91 * 1024 * 1024)])));
const { data } = await fal.run('acme/files/open', { input: { image_url: new Blob([Buffer.from(process.argv[2], 'base64')], { type: 'image/png' }) } });
console.log(JSON.stringify(data.size));
`;
    // Inside the repository, so that the package is found.
    const path = join(repositoryRoot, '.cache', `files-${process.pid}.mjs`);
    await mkdir(join(repositoryRoot, '.cache'), { recursive: true });
    await writeFile(path, script);
    try {
      const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
      const [single, multiple, size] = (await exec(process.execPath, path, png)).trim().split('\n');
      assert.equal(await read(single), 'from js');
      const head = await platform.run('curl', ['-sSI', '--cacert', platform.variables['SSL_CERT_FILE']!, multiple!]);
      assert.match(head.stdout, /content-length: 95420416/);
      assert.equal(size, '[1,1]');
    } finally {
      await rm(path, { force: true });
    }
  });

  it('hold a requirement that is a local folder, and an app by entry point reads files as well', async () => {
    const project = join(folder, 'project');
    await mkdir(join(project, 'package/file_package'), { recursive: true });
    await writeFile(join(project, 'package/file_package/__init__.py'), await readFile(appFile));
    await writeFile(join(project, 'package/backend.py'), packing);
    await writeFile(
      join(project, 'package/pyproject.toml'),
      '[project]\nname = "file-package"\nversion = "1.0"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    );
    await writeFile(
      join(project, 'pyproject.toml'),
      '[tool.fal.apps.entry]\npython_entry_point = "file_package:FileApp"\nrequirements = ["fal==1.83.0", "pillow", "./package"]\n',
    );
    ok(await platform.fal(['deploy', 'entry'], { cwd: project }));
    const image = await call('/draw', {}, 'entry');
    assert.deepEqual((await call('/open', { image_url: image['url'] }, 'entry'))['size'], [5, 7]);
    assert.match(
      String((await call('/refused', { image_url: 'http://127.0.0.1:1/' }, 'entry'))['refused']),
      /non-routable/,
    );
    assert.deepEqual(await call('/remember', { name: 'k', text: 'v' }, 'entry'), { value: 'v', after: null });
  });
});
