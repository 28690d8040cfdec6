// The module and the detector as their images have them: their code and their packages' in a few files instead of 900. That takes
// 20 MB and half of the processor time of a start: no comments to keep in memory, nothing that is never reached, fewer of Node's own modules.
//
//   node scripts/bundle.mjs runtime FOLDER          writes FOLDER/main.cjs and what it loads
//   node scripts/bundle.mjs cloud-lite FOLDER
//
// Names and lines stay, so that a stack trace tells what it told before; above each module stands where it is from.
import { cpSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const root = resolve(import.meta.dirname, '..');

/** Loaded from the packages as they are. */
const outside = {
  // Two with a compiled part, one loaded by name with the first pattern, and one for the upload of files, which a module
  // cannot do, so that it is never loaded.
  runtime: ['classic-level', '@serialport/bindings-cpp', 're2js', '@azure/storage-blob'],
  // One that reads files of its own, and one that another asks for in a try.
  'cloud-lite': [/^@electric-sql\/pglite/, 'pg-native'],
};

/** What runtime/health/stray-errors.ts tells from other code, by its files' names. */
const client = /[\\/]node_modules[\\/](azure-iot-[\w-]+|rhea|rhea-promise|machina)[\\/]/;
const packages = /[\\/]node_modules[\\/]/;

/** @param {'runtime' | 'cloud-lite'} part @param {string} folder */
export async function bundle(part, folder) {
  const build = await rolldown({
    cwd: root,
    input: { main: join(root, part, 'main.ts') },
    platform: 'node',
    tsconfig: false,
    external: outside[part],
    preserveEntrySignatures: false,
    plugins: [keepStrict],
    onLog: refuse,
  });
  await build.write({
    dir: resolve(folder),
    // An ES module that imports one of Node's own gets all that it exports, and what node:http exports loads fetch and WebSocket.
    format: 'cjs',
    // The bundler leaves out that code is strict. Ours is, in chunks of its own.
    strict: false,
    banner: ({ name }) => (packages.test(`/${name}`) ? '' : "'use strict';"),
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    comments: false,
    // One character beyond, and V8 keeps the text of the whole file with two bytes for each.
    charset: 'ascii',
    codeSplitting: {
      includeDependenciesRecursively: false,
      // Packages stay below a folder of that name: so Node, too, tells their code from ours.
      groups: [
        ...(part === 'runtime' ? [{ name: 'node_modules/azure-client', test: client, priority: 2 }] : []),
        { name: 'node_modules/packages', test: packages, tags: ['$initial'], priority: 1 },
        { name: 'node_modules/for', test: packages, entriesAware: true },
        { name: 'start', tags: ['$initial'] },
      ],
    },
  });
  await build.close();
  if (part === 'cloud-lite')
    cpSync(join(root, 'cloud-lite/database/migrations'), join(folder, 'migrations'), { recursive: true });
}

/** A package's file that says `use strict` means it: elsewhere `this` of a plain call is undefined no more, which rhea asks for. */
const keepStrict = {
  name: 'keep-strict',
  transform: {
    filter: { id: packages, code: /['"]use strict['"]/ },
    handler(code) {
      const isStrict = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*(['"])use strict\1/.test(code);
      const isModule = /^\s*(?:import|export)\b/m.test(code);
      return isStrict && !isModule ? { code: `(function () {${code}\n}).call(this);`, map: null } : null;
    },
  },
};

/** A package that is not there would be missed at run time. */
function refuse(level, log, handle) {
  const isHandled =
    log.code === 'INEFFECTIVE_DYNAMIC_IMPORT' ||
    // Asked for in a try, and there is another way.
    (log.code === 'UNRESOLVED_IMPORT' && log.message?.includes("'proper-lockfile'"));
  if (!isHandled) handle(level === 'warn' ? 'error' : level, log);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const [part, folder] = process.argv.slice(2);
  if (!(part in outside) || folder === undefined) {
    console.error('usage: node scripts/bundle.mjs runtime|cloud-lite FOLDER');
    process.exit(2);
  }
  await bundle(part, folder);
}
