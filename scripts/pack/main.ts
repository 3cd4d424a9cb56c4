/** `npm run pack -- client [FOLDER]`: packs a package as it is published and prints where the archive is. */
import { resolve } from 'node:path';
import { packPackage } from './pack-package.ts';

const [name = 'client', folder = '.'] = process.argv.slice(2);
process.stdout.write(`${await packPackage(name, resolve(folder))}\n`);
