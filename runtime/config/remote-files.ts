// Limits which files a remote configuration may read: the twin's `configFile`, and the files that such a configuration
// names. A person who may write a twin may run other equipment, but must not read the gateway's disk through it. So these
// files lie in folders that the gateway's owner named, links followed, and never among the module's own data; and problems
// of such a file name settings of the schema and positions, never its contents.
import { constants } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { HoldfastError } from '../../kernel/errors.ts';

export interface RemoteFiles {
  /** Absolute paths; folders that do not exist count as empty. */
  readonly folders: readonly string[];
  /** The module's own data: nothing in it is a configuration. */
  readonly dataFolder: string;
}

/** `named`: HOLDFAST_CONFIG_FOLDERS. Else the folder of the gateway's own file, and the one that the data folder is in. */
export function remoteFilesOf(options: {
  readonly named: string | undefined;
  readonly configFile: string | undefined;
  readonly dataFolder: string;
}): RemoteFiles {
  const { named, configFile } = options;
  const dataFolder = resolve(options.dataFolder);
  if (named !== undefined) {
    return {
      folders: named
        .split(':')
        .filter((each) => each !== '')
        .map((each) => resolve(each)),
      dataFolder,
    };
  }
  const beside = dirname(dataFolder);
  const folders = [
    ...(configFile === undefined ? [] : [dirname(resolve(configFile))]),
    // Of a data folder at the top that would be the whole disk.
    ...(dirname(beside) === beside ? [] : [beside]),
  ];
  return { folders: [...new Set(folders)], dataFolder };
}

/**
 * The file's bytes. What lies elsewhere is refused without being touched, so that nobody learns whether it is there.
 * @throws HoldfastError `config-file-outside`, `config-file-unfit`; what the file system says of a file inside.
 */
export async function readRemoteFile(
  path: string,
  files: RemoteFiles,
  maxBytes: number,
): Promise<Uint8Array> {
  if (!isAllowed(resolve(path), files)) throw outside(files);
  const real = await realpath(path);
  if (!isAllowed(real, await realFiles(files))) throw outside(files);
  // Neither a link that took its place meanwhile, nor a pipe that is waited for.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw unfit('it is no regular file');
    if (facts.size > maxBytes) throw unfit(`it is larger than ${maxBytes} bytes`);
    // A folder on the way may have become a link since it was looked at.
    const opened = await readlink(`/proc/self/fd/${file.fd}`).catch(() => real);
    if (opened !== real) throw outside(files);
    // What comes behind it meanwhile is read the next time: the file has changed.
    const bytes = Buffer.alloc(facts.size);
    let done = 0;
    for (let read = 1; read > 0 && done < bytes.byteLength; done += read) {
      read = (await file.read(bytes, done, bytes.byteLength - done, done)).bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await file.close();
  }
}

/** Whether by its name the file lies where such files may: another one is not even looked for. */
export const isNamed = (path: string, files: RemoteFiles): boolean => isAllowed(resolve(path), files);

function isAllowed(path: string, { folders, dataFolder }: RemoteFiles): boolean {
  return folders.some((folder) => isIn(path, folder)) && !isIn(path, dataFolder) && path !== dataFolder;
}

const isIn = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** A folder may be a link itself, as a mounted volume often is. */
async function realFiles({ folders, dataFolder }: RemoteFiles): Promise<RemoteFiles> {
  const real = (path: string) => realpath(path).catch(() => path);
  return { folders: await Promise.all(folders.map(real)), dataFolder: await realOrBeside(dataFolder) };
}

async function realOrBeside(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = await realpath(dirname(path)).catch(() => dirname(path));
    return join(parent, basename(path));
  }
}

function outside({ folders }: RemoteFiles): HoldfastError {
  const where = folders.length === 0 ? 'there is none' : folders.join(', ');
  const text = `it lies in no folder for files that the twin names (${where}; HOLDFAST_CONFIG_FOLDERS on the gateway): put it there`;
  return new HoldfastError('config-file-outside', text);
}

const unfit = (why: string): HoldfastError => new HoldfastError('config-file-unfit', why);
