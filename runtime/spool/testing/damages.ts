// Damages that may happen to a file of the spool between two starts.
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Random, randomInt } from '../../../kernel/random.ts';

type Damage = (path: string, random: Random) => void;

const rewrite = (path: string, random: Random, work: (bytes: Buffer, at: number) => void) => {
  const bytes = readFileSync(path);
  if (bytes.byteLength > 0) work(bytes, randomInt(random, bytes.byteLength));
  writeFileSync(path, bytes);
};
const damages: Readonly<Record<string, Damage>> = {
  'bit flipped': (path, random) =>
    rewrite(path, random, (bytes, at) => {
      bytes[at] = bytes[at]! ^ (1 << randomInt(random, 8));
    }),
  'sector of zeros': (path, random) =>
    rewrite(path, random, (bytes, at) => bytes.subarray(at - (at % 512), at - (at % 512) + 512).fill(0)),
  'zeros to the end': (path, random) => rewrite(path, random, (bytes, at) => bytes.fill(0, at)),
  noise: (path, random) =>
    rewrite(path, random, (bytes, at) =>
      bytes.subarray(at, at + randomInt(random, 5000)).fill(randomInt(random, 256)),
    ),
  cut: (path, random) => truncateSync(path, randomInt(random, statSync(path).size + 1)),
  'bytes appended': (path, random) =>
    appendFileSync(path, Buffer.alloc(1 + randomInt(random, 9000), randomInt(random, 256))),
  removed: (path) => rmSync(path),
  'a folder': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a link that leads nowhere': (path) => {
    rmSync(path);
    symlinkSync('nowhere', path);
  },
};

/** One to three damages of any kind, to any files. Says which. */
export function damageFolder(folder: string, random: Random): string {
  const kinds = Object.entries(damages);
  const done: string[] = [];
  for (let more = 1 + randomInt(random, 3); more > 0; more--) {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
    );
    const file = files.sort()[randomInt(random, files.length)]!;
    const [name, damage] = kinds[randomInt(random, kinds.length)]!;
    damage(join(folder, file), random);
    done.push(`${file}: ${name}`);
  }
  return done.join(', ');
}
