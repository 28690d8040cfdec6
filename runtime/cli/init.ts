// `holdfast init`: a commented configuration to begin with, for one kind of site.
import { open } from 'node:fs/promises';
import { describeError } from '../../kernel/errors.ts';
import { exampleSources } from '../adapters.ts';
import { exitCodes } from './exit-codes.ts';

const head = `# A configuration of Holdfast. \`holdfast check FILE\` says what is wrong with it, \`holdfast probe FILE\` reads each tag
# once, \`holdfast explain SETTING\` says what a setting is, \`holdfast run --config FILE --stdout\` runs it without a hub.

dataFolder: /data/holdfast   # what is read is kept here until the cloud has it

sources:
`;

const tail = `
windows:
  ageMs: 10s              # how old data is when it is sent

#spool:
#  retention:
#    archiveMs: 3d        # what was sent stays for so long, to answer for it again
#    unsentMs: 7d         # what could not be sent
`;

/** The whole text for a kind of site that is known. */
export function siteText(kind: string): string {
  return `${head}${exampleSources[kind]}${tail}`;
}

/** Returns the exit code. */
export async function initSite(kind: string, file: string | undefined): Promise<number> {
  if (!Object.hasOwn(exampleSources, kind)) {
    console.error(
      `holdfast: there is no kind of site '${kind}'; there are: ${Object.keys(exampleSources).join(', ')}`,
    );
    return exitCodes.badInput;
  }
  if (file === undefined) {
    process.stdout.write(siteText(kind));
    return exitCodes.ok;
  }
  try {
    // An existing file is never overwritten.
    const made = await open(file, 'wx', 0o644);
    await made.writeFile(siteText(kind));
    await made.close();
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    console.error(
      `holdfast: ${file} ${isThere ? 'is there already: name a new file' : describeError(error)}`,
    );
    return isThere ? exitCodes.badInput : exitCodes.failed;
  }
  console.error(`${file} is written: put your own equipment into it, then holdfast check ${file}`);
  return exitCodes.ok;
}
