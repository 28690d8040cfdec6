// `holdfast explain`: describes a setting.
import { explain, settingsPage } from '../config/settings-page.ts';
import { exitCodes } from './exit-codes.ts';

/** Returns the exit code. */
export function explainSetting(setting: string | undefined): number {
  if (setting === undefined) {
    process.stdout.write(settingsPage());
    return exitCodes.ok;
  }
  const found = explain(setting);
  if ('text' in found) {
    console.log(found.text);
    return exitCodes.ok;
  }
  const hint = found.meant === undefined ? '' : `; did you mean ${found.meant}?`;
  console.error(`holdfast: there is no setting ${setting}${hint}`);
  return exitCodes.badInput;
}
