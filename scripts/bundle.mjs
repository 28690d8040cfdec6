// The module as its image has it: its code and its packages' in a few files instead of 900. That takes 20 MB and half of the
// processor time of a start: no comments to keep in memory, nothing that is never reached, fewer of Node's own modules.
//
//   node scripts/bundle.mjs FOLDER       writes FOLDER/main.cjs and what it loads
//
// Names and lines stay, so that a stack trace tells what it told before; above each module stands where it is from.
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const root = resolve(import.meta.dirname, '..');

/**
 * Loaded from the packages as they are: two with a compiled part, one loaded by name with the first pattern, and one for the
 * upload of files, which a module cannot do, so that it is never loaded.
 */
const outside = ['classic-level', '@serialport/bindings-cpp', 're2js', '@azure/storage-blob'];

/** What runtime/health/stray-errors.ts tells from other code, by its files' names. */
const client = /[\\/]node_modules[\\/](azure-iot-[\w-]+|rhea|rhea-promise|machina)[\\/]/;
const packages = /[\\/]node_modules[\\/]/;

/** @param {string} folder */
export async function bundle(folder) {
  const build = await rolldown({
    cwd: root,
    input: { main: join(root, 'runtime/main.ts') },
    platform: 'node',
    tsconfig: false,
    external: outside,
    preserveEntrySignatures: false,
    onLog: refuse,
  });
  await build.write({
    dir: resolve(folder),
    // An ES module that imports one of Node's own gets all that it exports, and what node:http exports loads fetch and WebSocket.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    comments: false,
    // One character beyond, and V8 keeps the text of the whole file with two bytes for each.
    charset: 'ascii',
    codeSplitting: {
      includeDependenciesRecursively: false,
      // Packages stay below a folder of that name: so Node, too, tells their code from ours.
      groups: [
        { name: 'node_modules/azure-client', test: client, priority: 2 },
        { name: 'node_modules/packages', test: packages, tags: ['$initial'], priority: 1 },
        { name: 'node_modules/for', test: packages, entriesAware: true },
        { name: 'start', tags: ['$initial'] },
      ],
    },
  });
  await build.close();
}

/** A package that is not there would be missed at run time. */
function refuse(level, log, handle) {
  const isHandled =
    log.code === 'INEFFECTIVE_DYNAMIC_IMPORT' ||
    // Asked for in a try, and there is another way.
    (log.code === 'UNRESOLVED_IMPORT' && log.message?.includes("'proper-lockfile'"));
  if (!isHandled) handle(level === 'warn' ? 'error' : level, log);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined || folder.startsWith('-')) {
    console.error('usage: node scripts/bundle.mjs FOLDER');
    process.exit(2);
  }
  await bundle(folder);
}
