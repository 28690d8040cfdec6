// Whether the system says that its clock is synchronised: by a file that appears then, as systemd-timesyncd's
// /run/systemd/timesync/synchronized, which a container can be given.
import { access } from 'node:fs/promises';

export function fileExists(path: string): () => Promise<boolean> {
  return () =>
    access(path).then(
      () => true,
      () => false,
    );
}
