import { randomBytes } from 'node:crypto';
import { LannerError, type Callable } from '@lanner/protocol';
import type { ScaleSettings } from '../../apps/app-types.ts';
import type { SettingsPatch } from '../../apps/apps.ts';
import { assertCodeSpec, assertScaleSettings, fillDefaults } from '../../apps/settings.ts';
import { parseCode, type CallableDraft, type CodeDraft, type SentCode } from './code-draft.ts';
import type { ControllerDeps } from './controller-deps.ts';
import { toSettingsPatch, type SentSettings } from './scale-settings-patch.ts';

/** A checked run or deploy request, before anything was done for it. */
export interface PreparedCode {
  draft: CodeDraft;
  /** What the request gave. */
  settingsPatch: SettingsPatch;
  /** The same with the server's defaults filled in. */
  settings: ScaleSettings;
}

type PrepareDeps = Pick<ControllerDeps, 'environments' | 'secrets' | 'machineTypes' | 'appFiles'>;

/**
 * Checks everything that can be refused before work starts: values, environment, machine types, secrets, files.
 *
 * @throws `invalid_argument`, `not_found` (environment), `unimplemented`
 */
export async function prepareCode(
  deps: PrepareDeps,
  accountId: string,
  environmentName: string,
  sent: SentCode,
  sentSettings: SentSettings,
): Promise<PreparedCode> {
  const settingsPatch = toSettingsPatch(sentSettings);
  const settings = checkedSettings(deps, settingsPatch);
  const draft = parseCode(sent, settings.startupTimeoutSeconds);
  assertCodeSpec({ ...draft, callable: null }, settings, deps.machineTypes);
  await deps.environments.assertExists(accountId, environmentName);
  await assertSecretsExist(deps, accountId, environmentName, draft.secretNames);
  await assertFilesUploaded(deps, accountId, draft.files);
  return { draft, settingsPatch, settings };
}

/** Settings with defaults filled in. Throws `invalid_argument` for a bad number or an unknown machine type. */
export function checkedSettings(deps: Pick<ControllerDeps, 'machineTypes'>, patch: SettingsPatch): ScaleSettings {
  const settings = fillDefaults(patch);
  assertScaleSettings(settings, deps.machineTypes);
  return settings;
}

/**
 * `FAL_KEY` in a list of secrets means the key that every runner gets anyway, so it counts as there.
 * @throws `invalid_argument` naming what is missing and how to set it.
 */
export async function assertSecretsExist(
  deps: Pick<ControllerDeps, 'secrets'>,
  accountId: string,
  environmentName: string,
  names: string[] | null,
): Promise<void> {
  const wanted = (names ?? []).filter((name) => name !== 'FAL_KEY');
  if (wanted.length === 0) return;
  const known = new Set((await deps.secrets.list(accountId, environmentName)).map((secret) => secret.name));
  const missing = wanted.find((name) => !known.has(name));
  if (missing === undefined) return;
  const shown = missing.slice(0, 100);
  throw new LannerError(
    'invalid_argument',
    `The app wants the secret "${shown}", which the environment "${environmentName}" does not have. ` +
      `Set it with \`fal secrets set ${shown}=…\`, or take it out of the app's secrets.`,
  );
}

async function assertFilesUploaded(
  deps: Pick<ControllerDeps, 'appFiles'>,
  accountId: string,
  files: { hash: string; relativePath: string }[],
): Promise<void> {
  if (files.length === 0) return;
  const missing = new Set(await deps.appFiles.missing(accountId, [...new Set(files.map((file) => file.hash))]));
  const first = files.find((file) => missing.has(file.hash));
  if (first === undefined) return;
  throw new LannerError(
    'invalid_argument',
    `The content of ${missing.size} app file(s) was not uploaded, ${JSON.stringify(first.relativePath.slice(0, 200))} among them. Try again.`,
  );
}

/**
 * Stores the pickles of a callable.
 * @param store keeps bytes and answers the blob's name.
 */
export async function storeCallable(
  draft: CallableDraft | null,
  store: (definition: Uint8Array) => Promise<string>,
): Promise<Callable | null> {
  if (draft === null || draft.kind === 'entrypoint') return draft;
  const setup =
    draft.setup === null ? {} : { setup: { method: draft.setup.method, blob: await store(draft.setup.definition) } };
  return { kind: 'serialized', method: draft.function.method, blob: await store(draft.function.definition), ...setup };
}

/**
 * A blob name that nothing else can have. The pickles of a run are stored under such names rather than under their
 * content's hash, so that they can be deleted when the run ends without asking who else needs them.
 */
export function uniqueBlobName(): string {
  return randomBytes(32).toString('hex');
}
