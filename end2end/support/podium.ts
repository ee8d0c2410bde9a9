import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** How long a server may take until it prints its address, in milliseconds. */
const START_LIMIT_MS = 120_000;

/** A running `podium serve` with a data folder of its own. */
export class Podium {
  private constructor(
    readonly url: string,
    readonly dataDir: string,
    private readonly child: ChildProcess,
  ) {}

  /** Starts the binary that PODIUM_BIN names on a free port and waits for the line with its address. */
  static async start(): Promise<Podium> {
    const binary = process.env.PODIUM_BIN;
    if (!binary) throw new Error('PODIUM_BIN does not name the podium binary; run the tests by `cargo xtask browser`');
    const dataDir = mkdtempSync(join(tmpdir(), 'podium-e2e-'));
    const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0'], {
      env: { ...process.env, PODIUM_DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const words: string[] = [];
    child.stderr!.on('data', (chunk: Buffer) => words.push(chunk.toString()));
    try {
      return new Podium(await address(child, words), dataDir, child);
    } catch (error) {
      child.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends the server, waits until it is gone, and removes its data folder. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function address(child: ChildProcess, words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`podium ${what}\n${words.join('')}`));
    const limit = setTimeout(() => fail(`printed no address within ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code) => fail(`ended at once with code ${code}`));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const found = /^listening on (http:\/\/\S+)$/.exec(line);
      if (found) {
        clearTimeout(limit);
        resolve(found[1]);
      }
    });
  });
}
