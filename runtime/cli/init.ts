// `holdfast init`: a commented configuration to begin with, for one kind of site.
import { open } from 'node:fs/promises';
import { describeError } from '../../kernel/errors.ts';
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

const modbusTags = `    tags:
      # Addresses count from 0: what a manual calls holding register 40007 is address 6.
      - {name: temperature, address: 6, type: float32}
      - {name: running, address: 16, type: bit, bit: 0}
      #- {name: level, table: input, address: 3, type: int16, scale: 0.1}
`;

/** By the kind of site: its sources. */
export const siteKinds: Readonly<Record<string, string>> = {
  'modbus-tcp': `  - name: press            # also the stream's id in the cloud
    type: modbus-tcp
    host: 10.0.0.5
    unit: 1
    pollMs: 1s
${modbusTags}`,
  'modbus-rtu': `  - name: press            # also the stream's id in the cloud
    type: modbus-rtu
    path: /dev/serial/by-id/usb-ADAPTER-if00-port0
    baudRate: 9600
    parity: even           # even, odd or none
    unit: 1
    pollMs: 1s
${modbusTags}`,
  opcua: `  - name: oven             # also the stream's id in the cloud
    type: opcua
    endpoint: opc.tcp://10.0.0.7:4840
    tags:
      # \`holdfast browse FILE oven\` lists what there is.
      - {name: setpoint, node: "ns=2;s=Oven.SetPoint"}
    #identity: {kind: user, name: reader, passwordFile: /run/secrets/opcua}
    #history: {}           # the server's own history answers for what was missed
`,
  serial: `  - name: scale            # also the stream's id in the cloud
    type: serial
    path: /dev/serial/by-id/usb-ADAPTER-if00-port0
    baudRate: 9600
    poll: {command: P<CR>, everyMs: 1s}    # leave it out where the instrument talks by itself
    fields: {pattern: '^(?<weight>[-+ .0-9]+) kg'}
    tags:
      - {name: weight}
`,
  'module-input': `  - name: sensor           # also the stream's id in the cloud
    type: module-input
    input: telemetry       # a route of the deployment leads to it
    time: {path: ts}       # leave it out to take the time of arrival
    tags:
      - {name: temperature, path: values.temperature}
`,
};

/** The whole text for a kind of site that is known. */
export function siteText(kind: string): string {
  return `${head}${siteKinds[kind]}${tail}`;
}

/** Returns the exit code. */
export async function initSite(kind: string, file: string | undefined): Promise<number> {
  if (!Object.hasOwn(siteKinds, kind)) {
    console.error(
      `holdfast: there is no kind of site '${kind}'; there are: ${Object.keys(siteKinds).join(', ')}`,
    );
    return exitCodes.badInput;
  }
  if (file === undefined) {
    process.stdout.write(siteText(kind));
    return exitCodes.ok;
  }
  try {
    // A site that is there already is nobody's to write over.
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
