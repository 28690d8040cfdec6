// What became of a configuration, as the log says it.
import type { Log } from '../../kernel/log.ts';
import { type ConfigReport, errorText } from './version.ts';

export function logReport(log: Log, { state, origin, version, hash, errors, running }: ConfigReport): void {
  const fields = {
    state,
    ...(origin && { origin }),
    ...(version && { version }),
    ...(hash && { hash }),
    ...(running && { running }),
  };
  const problems = errors.length > 0 ? `\n${errorText(errors)}` : '';
  if (state === 'refused')
    log.error(
      { code: 'config-refused', ...fields },
      `the configuration is refused; the previous one stays in effect${problems}`,
    );
  else if (state === 'reverted')
    log.error(
      { code: 'config-reverted', ...fields },
      `the configuration did not work; the previous one runs again${problems}`,
    );
  else if (state === 'waiting')
    log.warn({ code: 'config-missing', ...fields }, `there is no configuration yet${problems}`);
  else if (problems !== '')
    log.warn({ code: 'config-refused', ...fields }, `the last good configuration runs${problems}`);
  else log.info(fields, state === 'last-good' ? 'the last good configuration runs' : 'configuration applied');
}
