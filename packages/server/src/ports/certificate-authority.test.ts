import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { extendBundle, splitPem } from '../config/ca-bundle.ts';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createCertificateAuthority, type CertificateConfig } from './certificate-authority.ts';
import { generateKey, issueAuthority, issueLeaf } from './issue-certificates.ts';
import { encodeNameConstraints } from './name-constraints.ts';

const dayMs = 24 * 60 * 60 * 1000;
const plain: CertificateConfig = { host: '127.0.0.1', domain: null, publicUrl: null, tlsCert: null, tlsKey: null };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-ca-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startAuthority(t: TestContext, folder: string, config: Partial<CertificateConfig> = {}) {
  const clock = createVirtualClock(Date.now());
  const errors: object[] = [];
  const log = { info() {}, error: (facts: object) => void errors.push(facts) };
  const authority = createCertificateAuthority({ folder, config: { ...plain, ...config }, clock, log });
  t.after(() => authority.stop());
  await authority.start();
  return { authority, clock, errors };
}

/** Whether the leaf file verifies below the given authority, by OpenSSL's own judgement. */
function verifies(folder: string, leafPem: string, authorityPem: string): boolean {
  const [leaf, authority] = [join(folder, 'x-leaf.pem'), join(folder, 'x-ca.pem')];
  writeFileSync(leaf, leafPem);
  writeFileSync(authority, authorityPem);
  try {
    execFileSync('python3', ['-c', verifyScript, leaf, authority], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** Python's ssl runs a handshake in memory: the names are checked as a client would. argv: leaf with key, authority. */
const verifyScript = `
import ssl, subprocess, sys
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(sys.argv[1])
client = ssl.create_default_context(cafile=sys.argv[2]); client.check_hostname = False
a, b, c, d = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
s = server.wrap_bio(a, b, server_side=True); k = client.wrap_bio(c, d)
for _ in range(4):
    for side in (k, s):
        try: side.do_handshake()
        except ssl.SSLWantReadError: pass
        a.write(d.read()); c.write(b.read())
assert k.getpeercert()
`;

test('the keys are readable by their owner alone', async (t) => {
  const folder = temporaryFolder(t);
  await startAuthority(t, folder, { domain: 'lanner.test' });
  for (const file of ['ca-key.pem', 'leaf-local.pem', 'leaf-domain.pem', 'leaf-fal.pem']) {
    assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  }
  assert.doesNotMatch(readFileSync(join(folder, 'bundle.pem'), 'utf8'), /PRIVATE KEY/);
});

test('a restart keeps authority and certificates', async (t) => {
  const folder = temporaryFolder(t);
  const first = (await startAuthority(t, folder)).authority;
  const authority = readFileSync(first.caPath, 'utf8');
  const second = (await startAuthority(t, folder)).authority;
  assert.equal(readFileSync(second.caPath, 'utf8'), authority);
  assert.deepEqual(second.defaultIdentity(), first.defaultIdentity());
});

test('the authority cannot vouch for names it was not made for', async (t) => {
  const folder = temporaryFolder(t);
  const { authority } = await startAuthority(t, folder);
  const cert = readFileSync(authority.caPath, 'utf8');
  const key = readFileSync(join(folder, 'ca-key.pem'), 'utf8');
  const leaf = async (dnsName: string): Promise<string> => {
    const nowMs = Date.now();
    const identity = await issueLeaf({ authority: { cert, key }, dnsNames: [dnsName], ipAddresses: [], nowMs });
    return identity.key + identity.cert;
  };
  assert.equal(verifies(folder, await leaf('localhost'), cert), true);
  assert.equal(verifies(folder, await leaf('queue.fal.run'), cert), true);
  assert.equal(verifies(folder, await leaf('example.com'), cert), false);
  assert.equal(verifies(folder, await leaf('xfal.run'), cert), false);
});

test('a new domain gets a new certificate for the same key, and who trusts the old one can go on', async (t) => {
  const folder = temporaryFolder(t);
  const before = readFileSync((await startAuthority(t, folder)).authority.caPath, 'utf8');
  const { authority } = await startAuthority(t, folder, { domain: 'lanner.test' });
  const after = readFileSync(authority.caPath, 'utf8');
  assert.notEqual(after, before);
  const { key, cert } = authority.defaultIdentity();
  assert.equal(verifies(folder, key + cert, before), true);
  const domainLeaf = readFileSync(join(folder, 'leaf-domain.pem'), 'utf8');
  assert.equal(verifies(folder, domainLeaf, after), true);
  assert.equal(verifies(folder, domainLeaf, before), false);
  assert.ok(readFileSync(authority.bundlePath, 'utf8').includes(after.trim()));
});

test('the host listened on and the public name are in the certificate', async (t) => {
  const config = { host: '192.168.7.7', publicUrl: 'https://box.test:9443' };
  const { authority } = await startAuthority(t, temporaryFolder(t), config);
  const certificate = new X509Certificate(authority.defaultIdentity().cert);
  assert.ok(certificate.checkIP('192.168.7.7'));
  assert.ok(certificate.checkHost('box.test'));
  assert.ok(certificate.checkHost('localhost'));
});

test('certificates are renewed in a running server long before they end', async (t) => {
  const { authority, clock } = await startAuthority(t, temporaryFolder(t));
  let renewals = 0;
  authority.onRenewed(() => (renewals += 1));
  const first = authority.defaultIdentity().cert;
  await clock.advance(55 * dayMs);
  assert.equal(renewals, 0);
  const renewed = new Promise<void>((resolve) => authority.onRenewed(resolve));
  await clock.advance(7 * dayMs);
  await renewed;
  assert.notEqual(authority.defaultIdentity().cert, first);
  const { validToDate } = new X509Certificate(authority.defaultIdentity().cert);
  assert.ok(validToDate.getTime() > clock.nowMs() + 80 * dayMs);
});

test('a stopped authority holds no timer', async (t) => {
  const { authority, clock } = await startAuthority(t, temporaryFolder(t));
  assert.equal(clock.pendingTimers, 1);
  authority.stop();
  assert.equal(clock.pendingTimers, 0);
});

test('a damaged certificate file is replaced', async (t) => {
  const folder = temporaryFolder(t);
  await startAuthority(t, folder);
  writeFileSync(join(folder, 'leaf-local.pem'), 'garbage');
  writeFileSync(join(folder, 'ca.pem'), 'garbage');
  const { authority } = await startAuthority(t, folder);
  assert.ok(new X509Certificate(authority.defaultIdentity().cert).checkHost('localhost'));
  assert.ok(new X509Certificate(readFileSync(authority.caPath, 'utf8')).ca);
});

/** Writes a certificate of a private authority for the names; returns the settings that use it. */
async function userCertificate(folder: string, dnsNames: string[]) {
  const key = generateKey();
  const nowMs = Date.now();
  const cert = await issueAuthority({ key, dnsNames: ['test'], nowMs });
  const leaf = await issueLeaf({ authority: { key, cert }, dnsNames, ipAddresses: [], nowMs });
  const paths = { tlsCert: join(folder, 'user.pem'), tlsKey: join(folder, 'user-key.pem') };
  writeFileSync(paths.tlsCert, leaf.cert + cert);
  writeFileSync(paths.tlsKey, leaf.key);
  return { paths, leaf, root: cert };
}

test("the operator's certificate serves the domain, and its root is in the bundle", async (t) => {
  const folder = temporaryFolder(t);
  const { paths, root } = await userCertificate(folder, ['lanner.test', '*.lanner.test']);
  const { authority } = await startAuthority(t, folder, { domain: 'lanner.test', ...paths });
  assert.notEqual(authority.contextFor('api.lanner.test'), authority.contextFor('localhost'));
  assert.equal(authority.contextFor('api.lanner.test'), authority.contextFor('lanner.test'));
  assert.ok(readFileSync(authority.bundlePath, 'utf8').includes(root.trim()));
});

test("the operator's renewed certificate is taken over while running, a broken one is not", async (t) => {
  const folder = temporaryFolder(t);
  const { paths } = await userCertificate(folder, ['lanner.test', '*.lanner.test']);
  const { authority, clock, errors } = await startAuthority(t, folder, { domain: 'lanner.test', ...paths });
  const first = authority.contextFor('lanner.test');
  writeFileSync(paths.tlsCert, 'broken');
  await clock.advance(dayMs);
  assert.equal(authority.contextFor('lanner.test'), first);
  assert.equal(errors.length, 2);
  await userCertificate(folder, ['lanner.test', '*.lanner.test']);
  await clock.advance(dayMs);
  assert.notEqual(authority.contextFor('lanner.test'), first);
});

for (const [what, change, rule] of [
  ['is missing', (paths: Paths) => rmSync(paths.tlsCert), /ENOENT/],
  ['is no certificate', (paths: Paths) => writeFileSync(paths.tlsCert, 'x'), /no PEM certificate/],
  ['has a broken key', (paths: Paths) => writeFileSync(paths.tlsKey, 'x'), /no PEM private key/],
  ['has the key of another', (paths: Paths) => writeFileSync(paths.tlsKey, generateKey()), /another certificate/],
  ['is for other names', null, /not for api\.lanner\.test/],
] as const) {
  test(`a start with a user certificate that ${what} says so`, async (t) => {
    const folder = temporaryFolder(t);
    const { paths } = await userCertificate(
      folder,
      change === null ? ['lanner.test'] : ['lanner.test', '*.lanner.test'],
    );
    change?.(paths);
    await assert.rejects(
      startAuthority(t, folder, { domain: 'lanner.test', ...paths }),
      (error: Error) => isLannerError(error) && error.code === 'config_invalid' && rule.test(error.message),
    );
  });
}

type Paths = { tlsCert: string; tlsKey: string };

test('a bundle is extended by what the caller trusts, and stays as it is when there is nothing new', async (t) => {
  const folder = temporaryFolder(t);
  const { authority } = await startAuthority(t, folder);
  const extra = join(folder, 'extra.pem');
  writeFileSync(extra, await issueAuthority({ key: generateKey(), dnsNames: ['corp'], nowMs: Date.now() }));
  const extended = extendBundle(authority.bundlePath, folder, [extra, join(folder, 'missing.pem')]);
  assert.deepEqual(extended.unreadable, [join(folder, 'missing.pem')]);
  const [before, after] = [authority.bundlePath, extended.path].map((path) => splitPem(readFileSync(path, 'utf8')));
  assert.equal(after!.length, before!.length + 1);
  assert.ok(after!.includes(readFileSync(extra, 'utf8').trim()));
  assert.equal(extendBundle(authority.bundlePath, folder, [authority.bundlePath]).path, authority.bundlePath);
  assert.equal(extendBundle(authority.bundlePath, folder, [extended.path]).path, extended.path);
});

test('name constraints of any length are encoded as OpenSSL reads them', async () => {
  const many = Array.from({ length: 40 }, (_, index) => `name-${index}.example`);
  for (const names of [['a'], many.slice(0, 7), many]) {
    const nowMs = Date.now();
    const cert = await issueAuthority({ key: generateKey(), dnsNames: names, nowMs });
    assert.ok(new X509Certificate(cert).raw.includes(encodeNameConstraints(names)));
  }
});
