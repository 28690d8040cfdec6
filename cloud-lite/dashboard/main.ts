// main.ts OUT   builds the dashboard into a folder: for images, which serve it from dashboard/public beside the
//               compiled cloud-lite/main.js
import { resolve } from 'node:path';
import { buildDashboard } from './build.ts';

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || rest.length > 0) {
  process.stderr.write('usage: main.ts OUT\n');
  process.exit(2);
}
await buildDashboard(resolve(folder));
