import { open } from 'node:fs/promises';

/**
 * Reads a file that not everyone should be able to read. `check` is told its permissions (`mode`; 0 on Windows, which has others) and
 * its size (bytes), as they were when it was opened; what it throws keeps the file from being read.
 * @throws what `check` throws, and whatever the system says of a file that cannot be read
 */
export async function readSecretFile(
  path: string,
  check: (found: { readonly mode: number; readonly size: number }) => void,
): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { mode, size } = await handle.stat();
    check({ mode: process.platform === 'win32' ? 0 : mode, size });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
