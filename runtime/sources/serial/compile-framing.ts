// The framing and check sum of a configuration, compiled.
import { type ChecksumCheck, type ChecksumConfig, compileChecksum } from './checksum.ts';
import type { FramingConfig, SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import type { Framing } from './frame-reader.ts';
import { compileFraming } from './framings.ts';

type ChecksumSettings = NonNullable<SerialSourceConfig['checksum']>;

/** `between`: bytes that mean nothing between messages; `ignore`: how lines of no interest begin. */
export function framingOf(
  framing: FramingConfig,
  checksum: ChecksumSettings | undefined,
  {
    between,
    ignore = [],
  }: { readonly between?: string | undefined; readonly ignore?: readonly string[] } = {},
): Framing {
  const check: ChecksumCheck | undefined = checksum && compileChecksum(withForm(checksum));
  const isValid = check ? (frame: Buffer) => check(frame) !== undefined : () => true;
  return {
    scanner: compileFraming(
      framing,
      isValid,
      check !== undefined,
      between === undefined ? undefined : toBytes(between),
      check === undefined ? [] : ignore.map(toBytes),
    ),
    checksum: check,
  };
}

/** Of a dump, where it is another than that of live messages. */
export function dumpFraming({
  history,
  framing,
  checksum,
  between,
  ignore,
}: SerialSourceConfig): Framing | undefined {
  if (!history?.framing && history?.checksum === undefined) return undefined;
  const own = history.checksum ?? checksum;
  return framingOf(history.framing ?? framing, own === 'none' ? undefined : own, { between, ignore });
}

/** Modbus sends its CRC low byte first; all others are read high byte first. */
function withForm(checksum: ChecksumSettings): ChecksumConfig {
  const form = checksum.form ?? (checksum.kind === 'crc16-modbus' ? 'little' : 'big');
  return { ...checksum, form };
}
