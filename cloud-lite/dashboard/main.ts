// main.ts FOLDER   builds the dashboard into a folder, which HOLDFAST_DASHBOARD_FOLDER names to the detector
import { resolve } from 'node:path';
import { buildDashboard } from './build.ts';

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || folder.startsWith('-') || rest.length > 0) {
  process.stderr.write('usage: npx node cloud-lite/dashboard/main.ts FOLDER\n');
  process.exit(2);
}
await buildDashboard(resolve(folder));
