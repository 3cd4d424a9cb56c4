import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Opens a page where a browser can be expected; says nothing when it cannot. */
export function openBrowser(url: string, environment: NodeJS.ProcessEnv): void {
  if (isHeadless(environment)) return;
  const command = process.platform === 'darwin' ? 'open' : process.platform === 'win32' ? 'explorer' : 'xdg-open';
  const child = spawn(command, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

/** WSL, a session over SSH, or Linux without a display. */
function isHeadless(environment: NodeJS.ProcessEnv): boolean {
  if (environment['SSH_CLIENT'] || environment['SSH_TTY']) return true;
  if (process.platform !== 'linux') return false;
  if (existsSync('/proc/sys/fs/binfmt_misc/WSLInterop')) return true;
  if (/microsoft/i.test(readFileSync('/proc/version', 'utf8'))) return true;
  return !environment['DISPLAY'] && !environment['WAYLAND_DISPLAY'];
}
