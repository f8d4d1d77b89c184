// Writes config/slipway.schema.json from the schema in dist/. Run through `npm run generate`, which builds first.
import { writeFile } from 'node:fs/promises';
import { jsonSchema } from '../../dist/config/json-schema.js';

const file = new URL('../../config/slipway.schema.json', import.meta.url);
await writeFile(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
