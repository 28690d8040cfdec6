// The list of an image's packages as CycloneDX 1.5: those that are installed, as the image's own stage installs them. npm's own list
// refuses a workspace that is installed alone, and leaves out what another workspace needs for development only.
//
//   npm ci --ignore-scripts --omit=dev --omit=optional --workspace runtime
//   node scripts/sbom.mjs runtime > holdfast.cdx.json
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** @param {string} root @param {string} workspace */
export function sbomOf(root, workspace) {
  const lock = json(join(root, 'package-lock.json')).packages;
  const { name, version } = json(join(root, workspace, 'package.json'));
  const found = [...packagesIn(root, 'node_modules'), ...packagesIn(root, `${workspace}/node_modules`)];
  const components = new Map(
    found.map((path) => componentOf(root, path, lock[path]?.integrity)).map((each) => [each.purl, each]),
  );
  const lacking = Object.keys(lock[workspace]?.dependencies ?? {}).filter(
    (each) => ![...components.values()].some((component) => fullName(component) === each),
  );
  if (lacking.length > 0)
    throw new Error(`not installed: ${lacking.join(', ')}; run npm ci --workspace ${workspace}`);
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': name, name, version } },
    components: [...components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
  };
}

const fullName = ({ group, name }) => (group === undefined ? name : `${group}/${name}`);

/** Folders of packages, those within packages too; links are the project's own workspaces. */
function packagesIn(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((each) => each.isDirectory() && !each.name.startsWith('.'))
    .flatMap(({ name }) => {
      const path = `${folder}/${name}`;
      if (!name.startsWith('@')) return [path, ...packagesIn(root, `${path}/node_modules`)];
      return readdirSync(join(root, path), { withFileTypes: true })
        .filter((each) => each.isDirectory())
        .flatMap((each) => [
          `${path}/${each.name}`,
          ...packagesIn(root, `${path}/${each.name}/node_modules`),
        ]);
    });
}

function componentOf(root, path, integrity) {
  const { name: full, version, license } = json(join(root, path, 'package.json'));
  const [group, name] = full.startsWith('@') ? full.split('/') : [undefined, full];
  const purl = `pkg:npm/${full.replace('@', '%40')}@${version}`;
  const [, sum] = /^sha512-(\S+)/.exec(integrity ?? '') ?? [];
  return {
    type: 'library',
    'bom-ref': purl,
    ...(group && { group }),
    ...{ name, version, purl },
    ...(typeof license === 'string' && { licenses: [{ license: { name: license } }] }),
    ...(sum && { hashes: [{ alg: 'SHA-512', content: Buffer.from(sum, 'base64').toString('hex') }] }),
  };
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const [workspace] = process.argv.slice(2);
  if (workspace === undefined || workspace.startsWith('-')) {
    console.error('usage: node scripts/sbom.mjs WORKSPACE > FILE');
    process.exit(2);
  }
  console.log(JSON.stringify(sbomOf(process.cwd(), workspace), null, 1));
}
