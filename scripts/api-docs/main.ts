/** `npm run docs`: writes docs/api. */
import { writeApiDocs } from './api-docs.ts';

await writeApiDocs();
