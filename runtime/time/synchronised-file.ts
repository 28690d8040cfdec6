// Whether the operating system reports its clock as synchronised: by a file that then exists, such as systemd-timesyncd's
// /run/systemd/timesync/synchronized, which can be mounted into a container.
import { access } from 'node:fs/promises';

export function fileExists(path: string): () => Promise<boolean> {
  return () =>
    access(path).then(
      () => true,
      () => false,
    );
}
